//! Access keys: two of each user, that sign while they are active.

use aws_sdk_iam::types::StatusType;
use pretty_assertions::assert_eq;

use super::*;

async fn who(account: &LocalAws, key: &Credentials) -> Result<String, String> {
    match sts(account, key.clone()).get_caller_identity().send().await {
        Ok(told) => Ok(told.arn().unwrap_or_default().to_owned()),
        Err(error) => Err(error.code().unwrap_or_default().to_owned()),
    }
}

#[tokio::test]
async fn a_key_signs_while_it_is_active() {
    let (account, root) = world();
    root.create_user().user_name("lea").path("/people/").send().await.expect("a user");
    let key = key_of(&root, "lea").await;
    let arn = Ok("arn:aws:iam::000000000000:user/people/lea".to_owned());
    let set = |status| {
        let id = key.access_key_id();
        root.update_access_key().user_name("lea").access_key_id(id).status(status).send()
    };
    assert_eq!(who(&account, &key).await, arn);
    set(StatusType::Inactive).await.expect("inactive");
    assert_eq!(who(&account, &key).await, Err("InvalidClientTokenId".to_owned()));
    set(StatusType::Active).await.expect("active");
    assert_eq!(who(&account, &key).await, arn);

    let listed = root.list_access_keys().user_name("lea").send().await.expect("a list");
    let [only] = listed.access_key_metadata() else { panic!("one key") };
    assert_eq!(only.access_key_id(), Some(key.access_key_id()));
    assert_eq!((only.user_name(), only.status()), (Some("lea"), Some(&StatusType::Active)));
    assert!(only.create_date().is_some());

    root.delete_access_key().user_name("lea").access_key_id(key.access_key_id()).send().await.expect("gone");
    assert_eq!(who(&account, &key).await, Err("InvalidClientTokenId".to_owned()));
    assert_eq!(code(set(StatusType::Active).await), (404, "NoSuchEntity".to_owned()));
    assert_eq!(code(set(StatusType::Expired).await), (400, "ValidationError".to_owned()));
}

#[tokio::test]
async fn a_user_has_two_keys_at_the_most() {
    let (_account, root) = world();
    for user in ["lea", "max"] {
        root.create_user().user_name(user).send().await.expect("a user");
    }
    let first = key_of(&root, "lea").await;
    key_of(&root, "lea").await;
    let (status, code_, message) = failure(root.create_access_key().user_name("lea").send().await);
    assert_eq!((status, code_.as_str()), (409, "LimitExceeded"));
    assert_eq!(message, "Cannot exceed quota for AccessKeysPerUser: 2");
    key_of(&root, "max").await;
    root.delete_access_key().user_name("lea").access_key_id(first.access_key_id()).send().await.expect("gone");
    key_of(&root, "lea").await;
    let foreign = root.list_access_keys().user_name("max").send().await.expect("a list");
    let foreign = foreign.access_key_metadata()[0].access_key_id().expect("an id").to_owned();
    let result = root.delete_access_key().user_name("lea").access_key_id(foreign).send().await;
    assert_eq!(code(result), (404, "NoSuchEntity".to_owned()), "another user's key");
}

#[tokio::test]
async fn users_rotate_their_own_keys_without_saying_who_they_are() {
    let (account, root) = world();
    let own = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*AccessKey*","Resource":"arn:aws:iam::*:user/${aws:username}"}}"#;
    account.iam().create_user("lea", &[("own", own)]).expect("a user");
    account.iam().create_user("max", &[]).expect("a user");
    let old = key_of(&root, "lea").await;
    let lea = iam(&account, old.clone());
    let made = lea.create_access_key().send().await.expect("a key");
    let key = made.access_key().expect("a key");
    assert_eq!(key.user_name(), "lea");
    let new = Credentials::new(key.access_key_id(), key.secret_access_key(), None, None, "test");
    let lea = iam(&account, new);
    assert_eq!(lea.list_access_keys().send().await.expect("a list").access_key_metadata().len(), 2);
    lea.delete_access_key().access_key_id(old.access_key_id()).send().await.expect("gone");
    assert_eq!(lea.list_access_keys().send().await.expect("a list").access_key_metadata().len(), 1);
    assert_eq!(code(lea.list_access_keys().user_name("max").send().await), (403, "AccessDenied".to_owned()));
}
