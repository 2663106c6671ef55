//! Compares the settings of existing objects with those of the site: storage class, encryption and ACL.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};
use tidegate_core::desired::{DesiredBody, DesiredSite};
use tidegate_core::diff::Changes;
use tidegate_core::key::StoredKey;
use tidegate_core::kms_key::KmsKey;
use tidegate_core::listing::PreservedAttributes;
use tidegate_core::plan::{Action, ChangeReason, HeaderDifference, Operation};
use tidegate_core::put_options::ObjectSettings;
use tidegate_core::site_state::SiteState;

use super::Run;
use crate::aws_error::AwsError;
use crate::s3::S3;

/// ACL requests in flight.
const ACLS_IN_FLIGHT: usize = 64;

/// Groups with access to an object, by key. Objects that were not asked about are absent.
pub(super) type AclGroups = BTreeMap<StoredKey, BTreeSet<String>>;

/// Reads the ACLs of objects that may stay as they are. A listing and a HEAD response do not have them.
pub(super) async fn read_acls(
    run: Run<'_>,
    s3: &S3,
    desired: &DesiredSite,
    state: &SiteState,
) -> Result<AclGroups, AwsError> {
    if !run.publisher.check_settings || run.site.objects.acl.is_none() {
        return Ok(AclGroups::new());
    }
    let keys = state.objects().iter().map(|object| object.key.clone());
    let keys: Vec<StoredKey> = keys.filter(|key| desired.get(key.as_str()).is_some()).collect();
    stream::iter(keys)
        .map(|key| async move {
            let target = &run.site.target;
            let groups = s3.acl_groups(&target.bucket, &target.prefix.join(key.as_str())).await?;
            Ok((key, groups))
        })
        .buffer_unordered(ACLS_IN_FLIGHT)
        .try_collect()
        .await
}

/// Adds an operation for each object that has other settings than the site and would be left unchanged.
pub(super) fn add_differences(
    changes: &mut Changes,
    desired: &DesiredSite,
    state: &SiteState,
    settings: &ObjectSettings,
    acls: &AclGroups,
) {
    let changed: BTreeSet<StoredKey> = changes.operations.iter().map(|operation| operation.key.clone()).collect();
    for object in state.objects().iter().filter(|object| !changed.contains(&object.key)) {
        let Some(entry) = desired.get(object.key.as_str()) else { continue };
        let DesiredBody::Object { size, identity, .. } = &entry.body else { continue };
        let Some(observed) = state.observed(&object.key) else { continue };
        let mut differences = attribute_differences(settings, &observed.attributes);
        differences.extend(acl_difference(settings, acls.get(&object.key)));
        if differences.is_empty() {
            continue;
        }
        changes.totals.headers += 1;
        changes.totals.keep = changes.totals.keep.saturating_sub(1);
        let action = Action::Headers {
            headers: entry.headers.clone(),
            size: *size,
            etag: object.etag.clone(),
            identity: identity.clone(),
            attributes: observed.attributes.clone().into(),
            differences: differences.into(),
        };
        changes.operations.push(Operation { key: object.key.clone(), reason: ChangeReason::HeadersDiffer, action });
    }
    changes.operations.sort_by(|a, b| a.key.cmp(&b.key));
}

fn difference(name: &str, has: Option<&str>, wants: &str) -> Option<HeaderDifference> {
    (has != Some(wants)).then(|| HeaderDifference {
        name: name.to_owned(),
        has: has.map(str::to_owned),
        wants: Some(wants.to_owned()),
    })
}

fn attribute_differences(settings: &ObjectSettings, has: &PreservedAttributes) -> Vec<HeaderDifference> {
    // S3 leaves the default class out of responses, and encrypts with AES256 if nothing else is set.
    let class = has.storage_class.as_deref().or(Some("STANDARD"));
    let encryption = has.encryption.as_deref().or(Some("AES256"));
    let own_key = has.kms_key.as_deref();
    let differs = |key: &&KmsKey| own_key.is_none_or(|arn| key.is_reported_as(arn) == Some(false));
    let key = settings.kms_key.as_ref().filter(differs);
    [
        settings.storage_class.as_deref().and_then(|wants| difference("x-amz-storage-class", class, wants)),
        settings.encryption.as_deref().and_then(|wants| difference("x-amz-server-side-encryption", encryption, wants)),
        key.and_then(|wants| difference("x-amz-server-side-encryption-aws-kms-key-id", own_key, wants.as_str())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Canned ACLs differ in the groups that they grant access to. The others are about accounts, which also own the bucket.
fn acl_difference(settings: &ObjectSettings, groups: Option<&BTreeSet<String>>) -> Option<HeaderDifference> {
    let (wants, groups) = (settings.acl.as_deref()?, groups?);
    let expected = match wants {
        "public-read" => Some("AllUsers"),
        "authenticated-read" => Some("AuthenticatedUsers"),
        _ => None,
    };
    if groups.iter().map(String::as_str).eq(expected) {
        return None;
    }
    let has = match groups.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => "private".to_owned(),
        ["AllUsers"] => "public-read".to_owned(),
        ["AuthenticatedUsers"] => "authenticated-read".to_owned(),
        groups => groups.join(", "),
    };
    difference("x-amz-acl", Some(&has), wants)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(acl: Option<&str>, encryption: Option<&str>, storage_class: Option<&str>) -> ObjectSettings {
        let text = |text: Option<&str>| text.map(str::to_owned);
        ObjectSettings {
            acl: text(acl),
            encryption: text(encryption),
            storage_class: text(storage_class),
            ..ObjectSettings::default()
        }
    }

    #[test]
    fn compares_storage_class_and_encryption() {
        let names = |settings: &ObjectSettings, has: &PreservedAttributes| -> Vec<String> {
            attribute_differences(settings, has).into_iter().map(|difference| difference.name).collect()
        };
        let plain = PreservedAttributes::default();
        let kms = PreservedAttributes {
            storage_class: Some("STANDARD_IA".to_owned()),
            encryption: Some("aws:kms".to_owned()),
            kms_key: Some("arn:aws:kms:us-east-1:123456789012:key/a".to_owned()),
        };
        assert_eq!(names(&settings(None, None, None), &kms), Vec::<String>::new());
        let standard = settings(None, Some("AES256"), Some("STANDARD"));
        assert_eq!(names(&standard, &plain), Vec::<String>::new());
        assert_eq!(names(&standard, &kms), ["x-amz-storage-class", "x-amz-server-side-encryption"]);
        let other_key = ObjectSettings {
            kms_key: Some("arn:aws:kms:us-east-1:123456789012:key/b".parse().unwrap()),
            ..settings(None, Some("aws:kms"), None)
        };
        assert_eq!(names(&other_key, &kms), ["x-amz-server-side-encryption-aws-kms-key-id"]);
    }

    #[test]
    fn compares_canned_acls_by_their_groups() {
        let has = |acl: &str, groups: &[&str]| {
            let groups = groups.iter().map(|group| (*group).to_owned()).collect();
            acl_difference(&settings(Some(acl), None, None), Some(&groups)).and_then(|difference| difference.has)
        };
        assert_eq!(has("private", &[]), None);
        assert_eq!(has("private", &["AllUsers"]).as_deref(), Some("public-read"));
        assert_eq!(has("public-read", &["AllUsers"]), None);
        assert_eq!(has("public-read", &[]).as_deref(), Some("private"));
        assert_eq!(has("bucket-owner-full-control", &[]), None);
        assert_eq!(acl_difference(&settings(Some("private"), None, None), None), None, "unknown");
    }
}
