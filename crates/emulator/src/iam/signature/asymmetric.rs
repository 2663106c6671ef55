//! Signature Version 4A: the key pair is derived from the access key, and the signature is valid in all regions that the
//! request names.
//!
//! Source: IAM User Guide, "AWS Signature Version 4A (SigV4A)".

use aws_sigv4::sign::v4a::generate_signing_key;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};

use super::SignatureError;

/// The header with the regions.
pub(super) const REGIONS: &str = "x-amz-region-set";

/// Checks that the regions include the emulator's.
pub(super) fn check_regions(regions: &str) -> Result<(), SignatureError> {
    if regions.split(',').any(|region| matches!(region.trim(), "*" | "us-east-1" | "us-*")) {
        return Ok(());
    }
    Err(SignatureError::Scope(format!("Credential should be scoped to a valid region, not '{regions}'. ")))
}

/// Verifies the signature, in DER, with the public key of an access key.
pub(super) fn signature_matches(access_key_id: &str, secret: &str, text: &str, presented: &[u8]) -> bool {
    let private = generate_signing_key(access_key_id, secret);
    let (Ok(key), Ok(signature)) = (SigningKey::from_slice(private.as_ref()), Signature::from_der(presented)) else {
        return false;
    };
    VerifyingKey::from(&key).verify(text.as_bytes(), &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifies_what_awss_signer_signs() {
        let key = generate_signing_key("AKIDEXAMPLE", "secret");
        let signature = aws_sigv4::sign::v4a::calculate_signature(key, b"text");
        let signature = hex::decode(signature).expect("hex");
        assert!(signature_matches("AKIDEXAMPLE", "secret", "text", &signature));
        assert!(!signature_matches("AKIDEXAMPLE", "secret", "texts", &signature));
        assert!(!signature_matches("AKIDEXAMPLE", "other", "text", &signature));
        assert!(!signature_matches("AKIDOTHER", "secret", "text", &signature));
        assert!(!signature_matches("AKIDEXAMPLE", "secret", "text", b"not DER"));
    }

    #[test]
    fn regions_must_include_that_of_the_emulator() {
        for regions in ["*", "us-east-1", "eu-west-1, us-east-1"] {
            assert!(check_regions(regions).is_ok(), "{regions}");
        }
        assert!(check_regions("eu-west-1").is_err());
        assert!(check_regions("").is_err());
    }
}
