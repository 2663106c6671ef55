//! stand-in until the planner is merged
use tidegate_host::config::Cdn;
use tidegate_host::invalidation::{Batch, Room};
use tidegate_host::report::Invalidation;

use crate::cloudfront::CloudFront;

pub(crate) async fn room(_: &CloudFront, cdn: &Cdn, free_left: usize) -> Room {
    Room { paths: 3000, wildcards: 15, free: free_left.min(cdn.max_paths) }
}

pub(crate) async fn send(cloudfront: &CloudFront, batch: &Batch) -> Invalidation {
    let answer = cloudfront.invalidate(&batch.distribution, &batch.paths, &batch.reference).await;
    let (id, why) = match answer {
        Ok(id) => (Some(id), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Invalidation {
        distribution: batch.distribution.to_string(),
        paths: batch.paths.iter().map(|path| path.as_str().to_owned()).collect(),
        id,
        why,
    }
}
