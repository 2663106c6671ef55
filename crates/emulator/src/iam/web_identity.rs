//! Assuming a role with the token of an OpenID Connect provider. The token is verified as STS verifies it: its signature
//! (RS256), issuer, audience and times.
//!
//! Sources: STS API Reference, `AssumeRoleWithWebIdentity`; RFC 7515 (JWS), RFC 7517 (JWK), RFC 7519 (JWT).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use thiserror::Error;

use super::error::IamError;
use super::json::OneOrMany;
use super::provider::provider_arn;
use super::record::OpenIdProvider;
use super::service::IamService;

/// Why a token is refused. Messages as STS sends them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenRefusal {
    /// It is not a signed JSON Web Token, or lacks a claim.
    #[error("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")]
    Malformed,
    /// The account has no provider for the issuer.
    #[error("No OpenIDConnect provider found in your account for {0}")]
    NoProvider(String),
    /// The provider does not accept the audience.
    #[error("Incorrect token audience")]
    Audience,
    /// No key of the provider verifies the signature.
    #[error(
        "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"
    )]
    Signature,
    /// It is too old.
    #[error("Token expired: current date/time must be before the expiration date/time")]
    Expired,
    /// It is not valid yet.
    #[error("Token is not valid yet")]
    Early,
}

/// A verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The issuer without `https://`.
    pub issuer: String,
    /// The claim `aud`.
    pub audience: String,
    /// The claim `sub`.
    pub subject: String,
}

#[derive(Deserialize)]
struct TokenHeader {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
}

#[derive(Deserialize)]
struct TokenClaims {
    iss: String,
    sub: String,
    aud: OneOrMany<String>,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<ProviderKey>,
}

#[derive(Deserialize)]
struct ProviderKey {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

impl VerifiedToken {
    /// The ARN of its provider.
    #[must_use]
    pub fn provider_arn(&self) -> String {
        provider_arn(&self.issuer)
    }
}

impl IamService {
    /// Sets the keys of a provider, as the JSON that it serves at `jwks_uri`. AWS downloads them, the emulator has no
    /// network.
    ///
    /// # Errors
    /// The provider does not exist.
    pub fn set_provider_keys(&self, issuer: &str, keys: &str) -> Result<(), IamError> {
        self.change(|state| {
            state.providers.change(&provider_arn(issuer), |provider| {
                provider.keys = Some(keys.to_owned());
                Ok(())
            })
        })
    }

    /// Verifies a token at this time.
    pub(super) fn verify_token(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, TokenRefusal> {
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenRefusal::Malformed);
        };
        let signed = token.rsplit_once('.').map_or("", |(signed, _)| signed);
        let header: TokenHeader = parse(header)?;
        let claims: TokenClaims = parse(claims)?;
        let issuer = claims.iss.strip_prefix("https://").ok_or(TokenRefusal::Malformed)?;
        let state = self.read();
        let provider =
            state.providers.get(&provider_arn(issuer)).ok_or(TokenRefusal::NoProvider(claims.iss.clone()))?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenRefusal::Malformed)?;
        verify(provider, &header, signed.as_bytes(), &signature)?;
        let seconds = now.as_second();
        if seconds >= claims.exp {
            return Err(TokenRefusal::Expired);
        }
        if claims.iat > seconds || claims.nbf.is_some_and(|from| from > seconds) {
            return Err(TokenRefusal::Early);
        }
        let audience = claims.aud.iter().find(|audience| provider.audiences.contains(*audience));
        let audience = audience.ok_or(TokenRefusal::Audience)?.clone();
        Ok(VerifiedToken { issuer: issuer.to_owned(), audience, subject: claims.sub })
    }
}

fn parse<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, TokenRefusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefusal::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenRefusal::Malformed)
}

/// Whether a key of the provider made the signature. Only RS256 is accepted: neither `none` nor a symmetric algorithm, whose
/// key would be the public one.
fn verify(
    provider: &OpenIdProvider,
    header: &TokenHeader,
    signed: &[u8],
    signature: &[u8],
) -> Result<(), TokenRefusal> {
    let keys: KeySet =
        provider.keys.as_deref().and_then(|keys| serde_json::from_str(keys).ok()).ok_or(TokenRefusal::Signature)?;
    let is_valid = |key: &ProviderKey| {
        let number = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let public = RsaPublicKeyComponents { n: number(&key.n), e: number(&key.e) };
        public.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
    };
    let is_named = |key: &&ProviderKey| key.kty == "RSA" && (header.kid.is_none() || key.kid == header.kid);
    let verified = header.alg == "RS256" && keys.keys.iter().filter(is_named).any(is_valid);
    if verified { Ok(()) } else { Err(TokenRefusal::Signature) }
}
