//! OpenID Connect providers, and the trust policies that name them.

use aws_sdk_iam::types::Tag;
use pretty_assertions::assert_eq;

use super::*;

const URL: &str = "https://token.actions.githubusercontent.com";
const ARN: &str = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com";

#[tokio::test]
async fn providers_are_created_changed_listed_and_deleted() {
    let (_account, root) = account_with_root();
    let missing = root.get_open_id_connect_provider().open_id_connect_provider_arn(ARN).send().await.expect_err("none");
    assert_eq!(missing.code(), Some("NoSuchEntity"));
    let create = || root.create_open_id_connect_provider().url(URL).client_id_list("sts.amazonaws.com");
    let tag = Tag::builder().key("team").value("web").build().expect("a tag");
    let created = create().tags(tag).send().await.expect("a provider");
    assert_eq!(created.open_id_connect_provider_arn(), Some(ARN));
    assert_eq!(create().send().await.expect_err("twice").code(), Some("EntityAlreadyExists"));
    for _ in 0..2 {
        let add = root.add_client_id_to_open_id_connect_provider().open_id_connect_provider_arn(ARN).client_id("other");
        add.send().await.expect("an audience");
    }
    let found =
        root.get_open_id_connect_provider().open_id_connect_provider_arn(ARN).send().await.expect("the provider");
    assert_eq!(found.url(), Some("token.actions.githubusercontent.com"));
    assert_eq!(found.client_id_list(), ["other", "sts.amazonaws.com"]);
    assert_eq!((found.tags()[0].key(), found.tags()[0].value()), ("team", "web"));
    let listed = root.list_open_id_connect_providers().send().await.expect("providers");
    let arns: Vec<_> = listed.open_id_connect_provider_list().iter().filter_map(|one| one.arn()).collect();
    assert_eq!(arns, [ARN]);
    root.delete_open_id_connect_provider().open_id_connect_provider_arn(ARN).send().await.expect("deleted");
    for url in ["http://a.example.com", "a.example.com", "https://", "https://a.example.com?x=1"] {
        let error = root.create_open_id_connect_provider().url(url).send().await.expect_err(url);
        assert_eq!(error.code(), Some("ValidationError"), "{url}");
    }
    let thumbprint = root.create_open_id_connect_provider().url(URL).thumbprint_list("abc").send().await;
    assert_eq!(thumbprint.expect_err("too short").code(), Some("InvalidInput"));
}

#[tokio::test]
async fn only_permitted_callers_create_providers() {
    let (account, root) = account_with_root();
    root.create_user().user_name("lea").send().await.expect("a user");
    let allow = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"iam:*OpenIDConnectProvider","Resource":"{ARN}"}}}}"#
    );
    let put = root.put_user_policy().user_name("lea").policy_name("p").policy_document(allow);
    put.send().await.expect("a policy");
    let lea = iam(&account, account.iam().create_access_key("lea").expect("a key").credentials());
    lea.create_open_id_connect_provider().url(URL).send().await.expect("a provider");
    let other = lea.create_open_id_connect_provider().url("https://gitlab.com").send().await.expect_err("another");
    assert_eq!(other.code(), Some("AccessDenied"));
}

#[tokio::test]
async fn shared_issuers_are_trusted_with_their_claim_only() {
    let (_account, root) = account_with_root();
    let document = |issuer: &str, condition: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{{"Federated":"arn:aws:iam::000000000000:oidc-provider/{issuer}"}},"Condition":{{{condition}}}}}}}"#
        )
    };
    let github = "token.actions.githubusercontent.com";
    for (at, (issuer, condition, accepted)) in [
        (github, format!(r#""StringEquals":{{"{github}:aud":"a"}}"#), false),
        (github, format!(r#""StringLikeIfExists":{{"{github}:sub":"repo:a/b:*"}}"#), false),
        (github, format!(r#""StringLike":{{"{github}:sub":"repo:a/b:*"}}"#), true),
        (github, format!(r#""StringLike":{{"{}:SUB":"repo:a/b:*"}}"#, github.to_uppercase()), true),
        ("id.example.com", r#""StringEquals":{"id.example.com:aud":"a"}"#.to_owned(), true),
    ]
    .into_iter()
    .enumerate()
    {
        let text = document(issuer, &condition);
        let created = root.create_role().role_name(format!("r{at}")).assume_role_policy_document(text).send().await;
        assert_eq!(created.is_ok(), accepted, "{issuer} {condition}");
        if let Err(error) = created {
            assert_eq!(error.code(), Some("MalformedPolicyDocument"));
        }
    }
}
