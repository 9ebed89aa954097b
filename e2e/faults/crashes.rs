//! F1 to F5: the operator is struck at every call it makes, and what it and its successor leave is
//! what an undisturbed operator leaves. Calls to AWS and writes to the API server are both counted:
//! a crash between any two of them is a crash before the one or after the other.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::panic::AssertUnwindSafe;

use ecr_operator::emulator::{Effect, Garble, Rule};
use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::case::{Case, Sweeps, on};
use super::kubernetes::{Trouble, View, Write};
use super::operator::Operator;
use super::play::{Play, Progress, allowed};
use super::{chance, oracle};

/// Plays at the same time: each of them mostly waits.
const AT_ONCE: usize = 6;
/// Where the order of things is not the same in each run, neither is the number of calls: so many
/// of the last ones may not come.
const SLACK: usize = 3;

/// Where an operator is struck. Calls and writes are counted from its start.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Strike {
    /// It is killed when this call to AWS is done and not answered.
    AfterCall(usize),
    /// It is killed before this call to AWS is done.
    BeforeCall(usize),
    /// It lives on, and the reply to this call is lost.
    ReplyLost(usize),
    /// It lives on, and the reply to this write to the API server is lost.
    WriteReplyLost(usize),
    /// It is killed when this write to the API server is done and not answered.
    AfterWrite(usize),
    /// It is killed before this write to the API server is done.
    BeforeWrite(usize),
    /// It lives on, and the reply to this call is no answer of AWS's: one of [`garbles`].
    Garbled(usize, usize),
    /// It is killed when it has deleted a repository and does not know it.
    AfterDeletion,
}

/// A strike that never falls.
const NEVER: Strike = Strike::BeforeCall(usize::MAX);

/// How a play went.
#[derive(Clone)]
pub(super) struct Played {
    /// How many of the strikes fell.
    fallen: usize,
    /// Calls to AWS and writes to the API server of the last operator that was to be struck.
    pub(super) calls: usize,
    pub(super) writes: usize,
    end: Value,
}

/// F1: SIGKILL right after each external call commits.
#[tokio::test(flavor = "multi_thread")]
async fn f1_an_operator_killed_after_any_call_leaves_what_its_successor_completes() {
    let Played { calls, writes, .. } = calm(Play::Life).await;
    let after_calls = (1..=*calls).map(|it| vec![Strike::AfterCall(it)]);
    let after_writes = (1..=*writes).map(|it| vec![Strike::AfterWrite(it)]);
    all_end_alike("F1", Play::Life, after_calls.chain(after_writes).collect()).await;
}

/// F2: SIGKILL right before each external call.
#[tokio::test(flavor = "multi_thread")]
async fn f2_an_operator_killed_before_any_call_leaves_what_its_successor_completes() {
    let Played { calls, writes, .. } = calm(Play::Life).await;
    let before_calls = (1..=*calls).map(|it| vec![Strike::BeforeCall(it)]);
    let before_writes = (1..=*writes).map(|it| vec![Strike::BeforeWrite(it)]);
    all_end_alike(
        "F2",
        Play::Life,
        before_calls.chain(before_writes).collect(),
    )
    .await;
}

/// F3: the reply is lost after the commit, and the process lives on.
#[tokio::test(flavor = "multi_thread")]
async fn f3_any_lost_reply_is_recovered_from() {
    let Played { calls, writes, .. } = calm(Play::Life).await;
    let calls = (1..=*calls).map(|it| vec![Strike::ReplyLost(it)]);
    let writes = (1..=*writes).map(|it| vec![Strike::WriteReplyLost(it)]);
    all_end_alike("F3", Play::Life, calls.chain(writes).collect()).await;
}

/// F4: a crash at k, then at j during recovery; a few pairs of all.
#[tokio::test(flavor = "multi_thread")]
async fn f4_an_operator_may_be_killed_again_while_it_recovers() {
    all_end_alike("F4", Play::Life, pairs(Play::Life, 8).await).await;
}

/// F4, 500 pairs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `make soak`"]
async fn f4_an_operator_may_be_killed_again_while_it_recovers_anywhere() {
    all_end_alike("F4", Play::Life, pairs(Play::Life, 500).await).await;
}

/// F5: a crash between DeleteRepository and the removal of the finalizer. The second deletion finds
/// nothing, which is success.
#[tokio::test(flavor = "multi_thread")]
async fn f5_an_object_goes_though_its_repository_was_deleted_unnoticed() {
    all_end_alike("F5", Play::Life, vec![vec![Strike::AfterDeletion]]).await;
}

/// F15: each answer is cut short, a proxy's page or empty, in turn.
#[tokio::test(flavor = "multi_thread")]
async fn f15_any_answer_may_be_garbled_in_some_way() {
    let garbled = |it: usize| vec![Strike::Garbled(it, it % garbles().len())];
    let plans = (1..=calm(Play::Life).await.calls).map(garbled);
    all_end_alike("F15", Play::Life, plans.collect()).await;
}

/// F15: each answer in each way.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `make soak`"]
async fn f15_any_answer_may_be_garbled_in_any_way() {
    let calls = 1..=calm(Play::Life).await.calls;
    let every = |call: usize| (0..garbles().len()).map(move |it| vec![Strike::Garbled(call, it)]);
    all_end_alike("F15", Play::Life, calls.flat_map(every).collect()).await;
}

/// What is no answer of AWS's.
fn garbles() -> Vec<Garble> {
    let replaced = |status: u16, body: &str| Garble::Replace {
        status,
        body: body.to_owned(),
    };
    vec![
        Garble::Truncate,
        replaced(502, "<html>a proxy</html>"),
        replaced(200, "<html>a proxy</html>"),
        replaced(200, ""),
        replaced(200, "{}"),
        replaced(403, "<html>a proxy</html>"),
    ]
}

/// Pairs of strikes anywhere, the same in every run.
pub(super) async fn pairs(of: Play, count: u64) -> Vec<Vec<Strike>> {
    let Played { calls, writes, .. } = calm(of).await;
    let strike = |seed: u64| {
        let (call, write) = (1 + chance(seed, *calls), 1 + chance(seed, *writes));
        match chance(seed + 1, 4) {
            0 => Strike::AfterCall(call),
            1 => Strike::BeforeCall(call),
            2 => Strike::AfterWrite(write),
            _ => Strike::BeforeWrite(write),
        }
    };
    (0..count)
        .map(|it| vec![strike(4 * it), strike(4 * it + 2)])
        .collect()
}

/// What an operator comes to that nobody strikes.
pub(super) async fn calm(of: Play) -> &'static Played {
    static LIFE: OnceCell<Played> = OnceCell::const_new();
    static TAKING_OUT: OnceCell<Played> = OnceCell::const_new();
    let played = match of {
        Play::Life => &LIFE,
        Play::TakingOut => &TAKING_OUT,
    };
    played.get_or_init(|| play(of, &[NEVER])).await
}

/// Plays each plan, and sees that all come to the same end.
pub(super) async fn all_end_alike(scenario: &str, of: Play, plans: Vec<Vec<Strike>>) {
    let (calm, count) = (calm(of).await, plans.len());
    let played = stream::iter(plans).map(async |plan| {
        let end = AssertUnwindSafe(play(of, &plan)).catch_unwind().await;
        let alike = end.map(|it| {
            oracle::alike(&format!("{plan:?}"), &it.end, &calm.end);
            it.fallen
        });
        (plan, alike)
    });
    let played: Vec<_> = played.buffer_unordered(AT_ONCE).collect().await;
    let (passed, failed): (Vec<_>, Vec<_>) = played.into_iter().partition(|(_, it)| it.is_ok());
    let missed: BTreeSet<_> = passed
        .iter()
        .filter(|(_, it)| *it.as_ref().unwrap() == 0)
        .map(|it| &it.0)
        .collect();
    let failed: BTreeSet<_> = failed.iter().map(|it| &it.0).collect();
    // Past the capture of output: a count that nobody sees counts nothing.
    let told = writeln!(
        std::io::stderr(),
        "{scenario}: {} of {count} plans passed; in {} the call to strike did not come {missed:?}",
        passed.len(),
        missed.len(),
    );
    told.unwrap();
    assert_eq!(failed, BTreeSet::new(), "{scenario}");
    assert!(missed.len() <= SLACK, "{scenario}: {missed:?} did not come");
}

/// Plays the play with these strikes, one operator each, and sees that all is well at its end.
async fn play(of: Play, strikes: &[Strike]) -> Played {
    let progress = Progress::default();
    let case = of.open(&progress).await;
    let mut acting = Box::pin(of.play(&case, &progress));
    let (mut fallen, mut calls, mut writes, mut over) = (0, 0, 0, false);
    for strike in strikes {
        let since = case.emulator.journal().last();
        let operator = case.operator_in(Sweeps::Never, strike.arm(&case));
        tokio::select! {
            () = &mut acting => over = true,
            () = strike.falls((&case, since), &operator.view) => fallen += 1,
        }
        if strike.is_survived() && !over {
            acting.as_mut().await;
            over = true;
        }
        calls = usize::try_from(case.emulator.journal().last() - since).unwrap();
        writes = operator.view.writes().len();
        operator.kill().await;
        case.emulator.faults().clear();
        if over {
            break;
        }
    }
    let operator = case.operator(Sweeps::Often);
    if !over {
        acting.await;
    }
    let end = epilogue(of, &case, operator, &progress).await;
    Played {
        fallen,
        calls,
        writes,
        end,
    }
}

/// Sees that the world is as it should be and stays so; gives what it is.
async fn epilogue(of: Play, case: &Case, operator: Operator, progress: &Progress) -> Value {
    let left = of.left();
    for (_, name) in left
        .iter()
        .filter(|(kind, _)| *kind == "EnvironmentAccount")
    {
        allowed(case, name).await;
    }
    of.ended(case).await;
    oracle::quiet(case, &operator, of.accounts()).await;
    oracle::counts(case, progress);
    let end = oracle::end(case, &left).await;
    operator.kill().await;
    end
}

impl Strike {
    /// Makes it fall when its time comes, and gives what fails on the side of the API server.
    fn arm(self, case: &Case) -> Trouble {
        let nth = |it: usize, effect: Effect| Rule {
            nth: Some(u64::try_from(it).unwrap()),
            effect,
            ..Rule::default()
        };
        let rest = |after: usize| Rule {
            after: Some(u64::try_from(after).unwrap()),
            effect: Effect::Hang,
            ..Rule::default()
        };
        match self {
            Self::AfterCall(call) => {
                case.fault(nth(call, Effect::HangAfter));
                case.fault(rest(call - 1)); // which the call itself does not come to
            }
            Self::BeforeCall(call) => case.fault(rest(call - 1)),
            Self::ReplyLost(call) => case.fault(nth(call, Effect::CutAfter)),
            Self::Garbled(call, kind) => {
                let garble = garbles().swap_remove(kind);
                case.fault(nth(call, Effect::Garble(garble)));
            }
            Self::AfterDeletion => case.fault(on("DeleteRepository", Effect::HangAfter)),
            Self::WriteReplyLost(write) => return Trouble::ReplyLost(write),
            Self::AfterWrite(write) => return Trouble::FrozenAfter(write),
            Self::BeforeWrite(write) => return Trouble::FrozenBefore(write),
        }
        Trouble::None
    }

    /// Whether the operator lives on.
    fn is_survived(self) -> bool {
        matches!(
            self,
            Self::ReplyLost(_) | Self::WriteReplyLost(_) | Self::Garbled(..)
        )
    }

    /// Waits until it has fallen.
    async fn falls(self, (case, since): (&Case, u64), view: &View) {
        match self {
            Self::AfterCall(_)
            | Self::BeforeCall(_)
            | Self::ReplyLost(_)
            | Self::Garbled(..)
            | Self::AfterDeletion => {
                let journal = case.emulator.journal();
                journal
                    .wait_for(|it| it.sequence > since && it.fault.is_some())
                    .await;
            }
            Self::AfterWrite(number) | Self::WriteReplyLost(number) => {
                let done = |it: &Write| it.status.is_some();
                view.until(|it| it.get(number - 1).is_some_and(done)).await;
            }
            Self::BeforeWrite(number) => view.until(|it| it.len() >= number).await,
        }
    }
}
