//! What becomes of calls when AWS throttles, falls silent or loses answers.

use std::time::Duration;

use ecr_operator::domain::repository::{Change, Create};
use ecr_operator::ecr::{Answer, ErrorKind, Health};
use ecr_operator::emulator::{Effect, Rule};

use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::*;

fn create() -> Change {
    Change::CreateRepository(Create {
        mutability: None,
        scan_on_push: None,
        encryption: None,
        tags: tags(&[("ecr-operator.dev/uid", "u1")]),
    })
}

#[tokio::test]
async fn a_share_of_throttled_calls_slows_us_down_and_stops_nothing() {
    let emulator = emulator("{}").await;
    let sessions = Sessions::new(settings(&emulator, PROD)).await;
    let target = registry_name(PROD, HERE);
    let registry = sessions
        .registry(&target, &Identity::Ambient)
        .await
        .unwrap();
    emulator.faults().add(Rule {
        service: Some("ecr".to_owned()),
        effect: Effect::Throttle,
        share: Some(0.3),
        ..Rule::default()
    });
    let make = |number: usize| {
        let registry = registry.at(Priority::Create);
        async move {
            let name = name(&format!("team/app-{number}"));
            loop {
                match registry.apply(&name, &create()).await {
                    Ok(()) => return,
                    Err(error) => assert_eq!(error.kind, ErrorKind::Throttled, "{error}"),
                }
            }
        }
    };
    futures::future::join_all((0..20).map(make)).await;
    assert_eq!(registry.health(), Health::Throttled);

    emulator.faults().clear();
    assert_eq!(registry.refresh().await.unwrap().len(), 20);
    let creates = operations(&emulator, 0);
    let attempts = creates
        .iter()
        .filter(|it| *it == "CreateRepository")
        .count();
    assert!(attempts <= 32, "{attempts} attempts for 20 repositories");
    let slowed = sessions
        .counts()
        .into_iter()
        .find(|it| it.answer == Answer::Slowed);
    assert_eq!(slowed.unwrap().calls as usize, attempts - 20);
}

#[tokio::test]
async fn one_throttled_registry_takes_nothing_from_another() {
    let emulator = emulator("{}").await;
    let sessions = Sessions::new(settings(&emulator, PROD)).await;
    let mut registries = Vec::new();
    for region in [HERE, THERE] {
        let target = registry_name(PROD, region);
        registries.push(
            sessions
                .registry(&target, &Identity::Ambient)
                .await
                .unwrap(),
        );
    }
    let [here, there] = <[Registry; 2]>::try_from(registries).unwrap();
    emulator.faults().add(Rule {
        region: Some(THERE.to_owned()),
        effect: Effect::Throttle,
        ..Rule::default()
    });
    let (throttled, answered) = futures::future::join(there.refresh(), here.refresh()).await;
    assert_eq!(throttled.unwrap_err().kind, ErrorKind::Throttled);
    assert!(answered.unwrap().is_empty());
    assert_eq!(there.health(), Health::Throttled);
    assert_eq!(here.health(), Health::Answering);
}

#[tokio::test]
async fn a_region_that_does_not_answer_delays_no_other() {
    let emulator = emulator("{}").await;
    let sessions = Sessions::new(settings(&emulator, PROD)).await;
    let mut registries = Vec::new();
    for region in [HERE, THERE] {
        let target = registry_name(PROD, region);
        registries.push(
            sessions
                .registry(&target, &Identity::Ambient)
                .await
                .unwrap(),
        );
    }
    let [here, there] = <[Registry; 2]>::try_from(registries).unwrap();
    emulator.faults().add(Rule {
        region: Some(THERE.to_owned()),
        effect: Effect::Hang,
        ..Rule::default()
    });
    // More than the calls that one registry may have under way.
    let waiting: Vec<_> = (0..100)
        .map(|number| {
            let there = there.clone();
            tokio::spawn(async move { there.observe(&name(&format!("team/app-{number}"))).await })
        })
        .collect();
    emulator
        .journal()
        .wait_for(|it| it.region == THERE && it.service == "ecr")
        .await;

    for number in 0..10 {
        here.apply(&name(&format!("team/app-{number}")), &create())
            .await
            .unwrap();
    }
    assert_eq!(here.refresh().await.unwrap().len(), 10);
    assert_eq!(here.health(), Health::Answering);
    for call in waiting {
        assert!(!call.is_finished());
        call.abort();
    }
}

#[tokio::test]
async fn a_region_that_stays_silent_is_not_asked_again_and_says_so_at_once() {
    let emulator = emulator("{}").await;
    let mut settings = settings(&emulator, PROD);
    settings.timeouts.read = Duration::from_secs(1);
    let sessions = Sessions::new(settings).await;
    let target = registry_name(PROD, THERE);
    let registry = sessions
        .registry(&target, &Identity::Ambient)
        .await
        .unwrap();
    emulator.faults().add(Rule {
        region: Some(THERE.to_owned()),
        effect: Effect::Hang,
        ..Rule::default()
    });
    let mut kinds = Vec::new();
    for _ in 0..5 {
        let error = registry.observe(&name("payments/api")).await.unwrap_err();
        kinds.push(error.kind);
    }
    let asked = emulator.journal().last();
    use ErrorKind::{Refused, Unavailable};
    assert_eq!(
        kinds,
        [Unavailable, Unavailable, Unavailable, Refused, Refused]
    );
    assert_eq!(registry.health(), Health::Silent);
    assert_eq!(emulator.journal().last(), asked);
}

/// F13: nobody takes the connection, as behind a security group that drops it. A listener whose queue
/// is full drops it as well.
#[tokio::test]
async fn a_connection_that_nobody_takes_is_given_up_before_any_answer_is_waited_for() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = JoinSet::new();
    for _ in 0..8 {
        queue.spawn(async move {
            let taken = TcpStream::connect(address).await;
            std::future::pending::<()>().await;
            drop(taken);
        });
    }
    let emulator = emulator("{}").await;
    let mut settings = settings(&emulator, PROD);
    settings.endpoints.ecr = Some(format!("http://{address}"));
    let never = Duration::from_secs(3600);
    settings.timeouts = Timeouts {
        connect: Duration::from_millis(100),
        attempt: never,
        read: never,
        write: never,
    };
    let sessions = Sessions::new(settings).await;
    let target = registry_name(PROD, HERE);
    let registry = sessions.registry(&target, &Identity::Ambient).await;
    let error = registry.unwrap().refresh().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(error.message, "no connection in time");
}

/// The SDK asks again where an answer was lost, and then the repository exists.
#[tokio::test]
async fn our_own_repository_whose_answer_was_lost_is_known_by_its_owner_tag() {
    let emulator = emulator("{}").await;
    let registry = registry(&emulator, HERE).await;
    emulator.faults().add(Rule {
        operation: Some("CreateRepository".to_owned()),
        effect: Effect::CutAfter,
        times: Some(1),
        ..Rule::default()
    });
    let repository = name("payments/api");
    let error = registry.apply(&repository, &create()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AlreadyExists, "{error}");
    let observed = registry.observe(&repository).await.unwrap().unwrap();
    assert_eq!(observed.tags["ecr-operator.dev/uid"], "u1");
}

#[tokio::test]
async fn a_denied_call_is_told_without_the_encoded_message() {
    let emulator = emulator("{}").await;
    let registry = registry(&emulator, HERE).await;
    emulator.faults().add(Rule {
        operation: Some("CreateRepository".to_owned()),
        effect: Effect::Refuse {
            code: "AccessDeniedException".to_owned(),
            message: "not authorized. Encoded authorization failure message: c2VjcmV0".to_owned(),
            status: 400,
        },
        ..Rule::default()
    });
    let error = registry
        .apply(&name("payments/api"), &create())
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccessDenied);
    assert_eq!(
        error.to_string(),
        format!("CreateRepository in {PROD}/{HERE}: not authorized.")
    );
}
