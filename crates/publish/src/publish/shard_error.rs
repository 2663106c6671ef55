//! Why a publish cannot be distributed, or a shard not be carried out.

use tidegate_core::location::Source;
use tidegate_core::plan::shards::ShardPhase;
use tidegate_core::release::ReleaseId;

/// Why a publish cannot be distributed, or a shard not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// Workers elsewhere cannot read the source.
    #[error("cannot distribute a publish of `{0}`, which is on this machine; upload it to S3 first")]
    LocalSource(Source),
    /// The shard was never stored, or its release was deleted.
    #[error("the release `{0}` has no shard {1}; start the publish again")]
    Unknown(ReleaseId, u32),
    /// An earlier phase has not ended.
    #[error(
        "shard {shard} is of the phase `{phase}`, but shard {before} of an earlier phase is not done; run that one first"
    )]
    Early {
        /// The shard.
        shard: u32,
        /// Its phase.
        phase: ShardPhase,
        /// The shard that comes first.
        before: u32,
    },
    /// The configuration is not that of the plan.
    #[error("the configuration of the site `{0}` was changed after the plan was made; start the publish again")]
    Reconfigured(String),
    /// The source is not that of the plan.
    #[error("the source `{0}` was changed after the plan was made; start the publish again")]
    SourceChanged(Source),
}
