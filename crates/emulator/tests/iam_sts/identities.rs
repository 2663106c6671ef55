//! Identities that an account is set up with: invalid ones, and those of a directory.

use pretty_assertions::assert_eq;
use tidegate_emulator::iam::IamError;

use super::*;

#[tokio::test]
async fn identities_survive_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let (root, session) = {
        let account = LocalAws::open(directory.path()).expect("an account");
        account.iam().create_role("publisher", TRUST_ACCOUNT, &[("put", MAY_PUT)]).expect("a role");
        let client = sts(&account, account.root_credentials());
        let request = client.assume_role().role_arn(ROLE).role_session_name("run").policy(ONLY_DOCS);
        (account.root_credentials(), credentials(&request.send().await.expect("a session")))
    };
    let account = LocalAws::open(directory.path()).expect("the same account");
    assert_eq!(account.root_credentials().access_key_id(), root.access_key_id());
    assert!(sts(&account, root).get_caller_identity().send().await.is_ok());
    assert!(sts(&account, session.clone()).get_caller_identity().send().await.is_ok());
    assert_eq!(may_put(&account, session.access_key_id(), "docs/a"), Ok(()));
    assert!(may_put(&account, session.access_key_id(), "a").is_err());
    let again = account.iam().create_role("publisher", TRUST_ACCOUNT, &[]);
    assert!(matches!(again, Err(IamError::EntityAlreadyExists { kind: "role", .. })));
}

#[test]
fn rejects_invalid_identities() {
    let account = LocalAws::in_memory().expect("an account");
    let iam = account.iam();
    let missing = TRUST_ACCOUNT.replace("\"000000000000\"", "\"arn:aws:iam::000000000000:user/missing\"");
    assert!(matches!(iam.create_role("r", &missing, &[]), Err(IamError::UnknownPrincipal(_))));
    assert!(matches!(iam.create_role("a/b", TRUST_ACCOUNT, &[]), Err(IamError::Name(_))));
    assert!(matches!(iam.create_role(&"a".repeat(65), TRUST_ACCOUNT, &[]), Err(IamError::Name(_))));
    assert!(matches!(iam.create_role("r", "{}", &[]), Err(IamError::Document(_))));
    let keys: Vec<String> = (0..400).map(|number| format!("arn:aws:s3:::site/{number:08}/*")).collect();
    let large = ONLY_DOCS.replace("\"arn:aws:s3:::site/docs/*\"", &serde_json::to_string(&keys).expect("JSON"));
    assert!(matches!(
        iam.create_role("r", TRUST_ACCOUNT, &[("large", &large)]),
        Err(IamError::TooLarge { limit: 10_240, .. })
    ));
    assert!(matches!(iam.create_access_key("missing"), Err(IamError::NoSuchEntity { kind: "user", .. })));
}
