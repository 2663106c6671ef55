//! The AWS managed policies that people attach or use as a permissions boundary. Every account has them, and none can
//! change them. The documents are our own and have the same effect as those in the AWS Managed Policy Reference.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::arn;
use super::error::IamError;
use super::managed::ManagedPolicy;
use super::name::EntityPath;

/// A policy as it is defined here.
struct BuiltInPolicy {
    path: &'static str,
    name: &'static str,
    /// AWS's ID, the same in every account.
    id: &'static str,
    created: &'static str,
    document: &'static str,
}

const POLICIES: [BuiltInPolicy; 4] = [
    BuiltInPolicy {
        path: "/",
        name: "AdministratorAccess",
        id: "ANPAIWMBCKSKIEE64ZLYK",
        created: "2015-02-06T18:39:46Z",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
    },
    BuiltInPolicy {
        path: "/",
        name: "AmazonS3FullAccess",
        id: "ANPAIFIR6V6BVTRAHWINE",
        created: "2015-02-06T18:40:58Z",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}]}"#,
    },
    BuiltInPolicy {
        path: "/",
        name: "AmazonS3ReadOnlyAccess",
        id: "ANPAIZTJ4DXE7G6AGAE6M",
        created: "2015-02-06T18:40:59Z",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*","s3-object-lambda:List*"],"Resource":"*"}]}"#,
    },
    BuiltInPolicy {
        path: "/service-role/",
        name: "AWSLambdaBasicExecutionRole",
        id: "ANPAJNCQGXC42545SKXIK",
        created: "2015-04-09T15:03:43Z",
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}"#,
    },
];

/// The AWS managed policies by ARN.
pub(super) fn policies() -> Result<BTreeMap<String, ManagedPolicy>, IamError> {
    POLICIES
        .iter()
        .map(|built_in| {
            let path = EntityPath::try_from(built_in.path.to_owned())?;
            let created: Timestamp =
                built_in.created.parse().map_err(|error: jiff::Error| IamError::Storage(error.to_string()))?;
            let arn = arn::aws_policy(&path, built_in.name);
            let document = built_in.document.to_owned().try_into()?;
            let mut policy = ManagedPolicy::with_id(built_in.id.to_owned(), built_in.name, document, created);
            policy.path = path;
            Ok((arn, policy))
        })
        .collect()
}
