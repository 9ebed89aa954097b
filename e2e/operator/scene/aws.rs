//! What a story does in AWS by hand, and what it sees there: the journal of the emulator, and repositories
//! as ECR has them.

use ecr_operator::commands::demo::hand::Hand;
use ecr_operator::emulator::{Entry, Outcome};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Scene;
use crate::operator::{ACCOUNTS, PATIENCE, REGION};

impl Scene {
    /// Somebody signed in to an account, past the operator.
    pub(in crate::operator) fn hand<'a>(&'a self, account: &'a str) -> Hand<'a> {
        Hand {
            emulator: &self.stage.emulator,
            account,
            region: REGION,
        }
    }

    /// `aws ecr OPERATION` by hand.
    pub(in crate::operator) async fn by_hand(
        &self,
        account: &str,
        operation: &str,
        parameters: Value,
    ) -> Value {
        self.hand(account)
            .ecr(operation, &parameters)
            .await
            .unwrap()
    }

    /// Where the journal is now.
    pub(in crate::operator) fn now(&self) -> u64 {
        self.stage.emulator.journal().last()
    }

    /// Waits for the operator's own write of this operation to an account.
    pub(in crate::operator) async fn wrote(
        &self,
        since: u64,
        account: &str,
        operation: &str,
    ) -> Entry {
        let wanted = |it: &Entry| {
            it.sequence > since
                && is_done_by_us(it)
                && it.account == account
                && it.operation == operation
        };
        self.heard(&format!("{operation} in {account}"), wanted)
            .await
    }

    /// Waits for a request.
    pub(in crate::operator) async fn heard(
        &self,
        what: &str,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Entry {
        let heard = timeout(PATIENCE, self.stage.emulator.journal().wait_for(wanted)).await;
        heard.unwrap_or_else(|_| panic!("no {what} came"))
    }

    /// The operator's own writes.
    pub(in crate::operator) fn writes(&self, since: u64) -> Vec<Entry> {
        let mut entries = self.stage.emulator.journal().since(since);
        entries.retain(is_done_by_us);
        entries
    }

    /// The operator's own writes as `ENVIRONMENT SUBJECT OPERATION`, in order of these words.
    pub(in crate::operator) fn ledger(&self, since: u64) -> Vec<String> {
        let mut lines: Vec<String> = self.writes(since).iter().map(line).collect();
        lines.sort();
        lines
    }

    /// Waits until every environment has been swept twice from beginning to end.
    pub(in crate::operator) async fn swept_twice(&self) {
        let now = self.now();
        for (_, account) in ACCOUNTS {
            self.account_swept_twice(now, account).await;
        }
    }

    /// The same of one account.
    pub(in crate::operator) async fn account_swept_twice(&self, mut since: u64, account: &str) {
        // The first list may be the end of a sweep, and the third is the end of two others.
        for _ in 0..3 {
            let list = |it: &Entry| {
                it.sequence > since
                    && !it.caller.contains("ecr-operator-read")
                    && it.account == account
                    && it.operation == "DescribeRepositories"
                    && it.parameters["repositoryNames"].is_null()
            };
            let sweep = format!("sweep of {account}");
            since = self.heard(&sweep, list).await.sequence;
        }
    }

    /// Sees that in a world that is as it should be nothing is written.
    pub(in crate::operator) async fn is_quiet(&self) {
        let since = self.now();
        self.swept_twice().await;
        assert_eq!(
            self.ledger(since),
            Vec::<String>::new(),
            "written over two sweeps"
        );
    }

    /// Sees that the operator writes what `expected` says, and nothing else in two further sweeps.
    pub(in crate::operator) async fn settles(&self, act: &str, since: u64, expected: &[&str]) {
        for line in expected {
            let [environment, _, operation] = words(line);
            let (_, account) = ACCOUNTS.iter().find(|it| it.0 == environment).unwrap();
            self.wrote(since, account, operation).await;
        }
        self.swept_twice().await;
        assert_eq!(self.ledger(since), expected, "{act}");
    }

    /// A repository as ECR has it, with its documents and tags; null where there is none.
    pub(in crate::operator) async fn in_ecr(&self, account: &str, name: &str) -> Value {
        let hand = self.hand(account);
        let named = json!({"repositoryName": name});
        let Ok(mut found) = hand
            .ecr("DescribeRepositories", &json!({"repositoryNames": [name]}))
            .await
        else {
            return Value::Null;
        };
        let found = found["repositories"][0].take();
        let tags = hand
            .ecr(
                "ListTagsForResource",
                &json!({"resourceArn": found["repositoryArn"]}),
            )
            .await;
        let tags = tags.unwrap()["tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(tag)
            .collect::<serde_json::Map<_, _>>();
        let document = async |operation: &str, field: &str| match hand.ecr(operation, &named).await
        {
            Ok(answer) => serde_json::from_str(answer[field].as_str().unwrap()).unwrap(),
            Err(_) => Value::Null,
        };
        json!({
            "mutability": found["imageTagMutability"],
            "filters": found["imageTagMutabilityExclusionFilters"],
            "scanOnPush": found["imageScanningConfiguration"]["scanOnPush"],
            "encryption": found["encryptionConfiguration"],
            "tags": tags,
            "policy": document("GetRepositoryPolicy", "policyText").await,
            "lifecycle": document("GetLifecyclePolicy", "lifecyclePolicyText").await,
        })
    }
}

/// Whether the operator has changed something with it.
pub(in crate::operator) fn is_done_by_us(entry: &Entry) -> bool {
    entry.is_write()
        && entry.caller.contains("assumed-role/ecr-operator")
        && matches!(entry.outcome, Outcome::Done | Outcome::DoneUnanswered)
}

/// What a request is about: the repository, or the prefix of a pull-through rule or a template.
pub(in crate::operator) fn subject(entry: &Entry) -> &str {
    let parameters = &entry.parameters;
    let arn = parameters["resourceArn"].as_str();
    arn.and_then(|it| it.split_once(":repository/"))
        .map(|(_, name)| name)
        .or_else(|| parameters["repositoryName"].as_str())
        .or_else(|| parameters["ecrRepositoryPrefix"].as_str())
        .or_else(|| parameters["prefix"].as_str())
        .unwrap_or("-")
}

fn line(entry: &Entry) -> String {
    let environment = ACCOUNTS.iter().find(|it| it.1 == entry.account);
    let environment = environment.map_or(entry.account.as_str(), |it| it.0);
    format!("{environment} {} {}", subject(entry), entry.operation)
}

fn words(line: &str) -> [&str; 3] {
    let words: Vec<&str> = line.split(' ').collect();
    words.try_into().unwrap()
}

/// A tag as key and value; the owner's uid is another in every run.
fn tag(it: &Value) -> (String, Value) {
    let key = it["Key"].as_str().unwrap().to_owned();
    let value = if key == "ecr-operator.dev/uid" {
        json!("UID")
    } else {
        it["Value"].clone()
    };
    (key, value)
}
