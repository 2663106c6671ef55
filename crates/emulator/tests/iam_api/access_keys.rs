//! Access keys: two per user, which sign while they are active.

use aws_sdk_iam::types::StatusType;
use pretty_assertions::assert_eq;

use super::*;

async fn caller_arn(account: &LocalAws, key: &Credentials) -> Result<String, String> {
    match sts(account, key.clone()).get_caller_identity().send().await {
        Ok(identity) => Ok(identity.arn().unwrap_or_default().to_owned()),
        Err(error) => Err(error.code().unwrap_or_default().to_owned()),
    }
}

#[tokio::test]
async fn a_key_signs_only_while_it_is_active() {
    let (account, root) = account_with_root();
    root.create_user().user_name("lea").path("/people/").send().await.expect("a user");
    let key = key_of(&root, "lea").await;
    let arn = Ok("arn:aws:iam::000000000000:user/people/lea".to_owned());
    let set = |status| {
        let id = key.access_key_id();
        root.update_access_key().user_name("lea").access_key_id(id).status(status).send()
    };
    assert_eq!(caller_arn(&account, &key).await, arn);
    set(StatusType::Inactive).await.expect("inactive");
    assert_eq!(caller_arn(&account, &key).await, Err("InvalidClientTokenId".to_owned()));
    set(StatusType::Active).await.expect("active");
    assert_eq!(caller_arn(&account, &key).await, arn);

    let listed = root.list_access_keys().user_name("lea").send().await.expect("a list");
    let [only] = listed.access_key_metadata() else { panic!("one key") };
    assert_eq!(only.access_key_id(), Some(key.access_key_id()));
    assert_eq!((only.user_name(), only.status()), (Some("lea"), Some(&StatusType::Active)));
    assert!(only.create_date().is_some());

    root.delete_access_key().user_name("lea").access_key_id(key.access_key_id()).send().await.expect("deleted");
    assert_eq!(caller_arn(&account, &key).await, Err("InvalidClientTokenId".to_owned()));
    assert_eq!(code(set(StatusType::Active).await), (404, "NoSuchEntity".to_owned()));
    assert_eq!(code(set(StatusType::Expired).await), (400, "ValidationError".to_owned()));
}

#[tokio::test]
async fn a_user_has_at_most_two_keys() {
    let (_account, root) = account_with_root();
    for user in ["lea", "max"] {
        root.create_user().user_name(user).send().await.expect("a user");
    }
    let first = key_of(&root, "lea").await;
    key_of(&root, "lea").await;
    let (status, code_, message) = failure(root.create_access_key().user_name("lea").send().await);
    assert_eq!((status, code_.as_str()), (409, "LimitExceeded"));
    assert_eq!(message, "Cannot exceed quota for AccessKeysPerUser: 2");
    key_of(&root, "max").await;
    root.delete_access_key().user_name("lea").access_key_id(first.access_key_id()).send().await.expect("deleted");
    key_of(&root, "lea").await;
    let foreign = root.list_access_keys().user_name("max").send().await.expect("a list");
    let foreign = foreign.access_key_metadata()[0].access_key_id().expect("an id").to_owned();
    let result = root.delete_access_key().user_name("lea").access_key_id(foreign).send().await;
    assert_eq!(code(result), (404, "NoSuchEntity".to_owned()), "another user's key");
}

#[tokio::test]
async fn users_rotate_their_own_keys_without_a_user_name() {
    let (account, root) = account_with_root();
    let own = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*AccessKey*","Resource":"arn:aws:iam::*:user/${aws:username}"}}"#;
    account.iam().create_user("lea", &[("own", own)]).expect("a user");
    account.iam().create_user("max", &[]).expect("a user");
    let old = key_of(&root, "lea").await;
    let lea = iam(&account, old.clone());
    let created = lea.create_access_key().send().await.expect("a key");
    let key = created.access_key().expect("a key");
    assert_eq!(key.user_name(), "lea");
    let new = Credentials::new(key.access_key_id(), key.secret_access_key(), None, None, "test");
    let lea = iam(&account, new);
    assert_eq!(lea.list_access_keys().send().await.expect("a list").access_key_metadata().len(), 2);
    lea.delete_access_key().access_key_id(old.access_key_id()).send().await.expect("deleted");
    assert_eq!(lea.list_access_keys().send().await.expect("a list").access_key_metadata().len(), 1);
    assert_eq!(code(lea.list_access_keys().user_name("max").send().await), (403, "AccessDenied".to_owned()));
}
