//! Which catalog of Glue it is: an account has one in each region, whatever address leads to it.
//!
//! Somebody else who answers as Glue does is known by his address alone: what he says of accounts is the same everywhere.

use std::sync::Arc;

use aws_sdk_sts::Client;
use reqwest::Url;
use tokio::sync::OnceCell;

use crate::aws::error::of as failed;
use crate::aws::{AwsClients, Call};
use crate::catalog::CatalogIdentity;
use crate::error::{Error, ErrorKind, Result};

/// STS answers everybody whom it knows; nothing has to be allowed
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>).
const CALL: Call = Call { operation: "look whose catalog it is", action: "sts:GetCallerIdentity" };

/// What follows the names of AWS's own hosts, those of private endpoints in a network too
/// (<https://docs.aws.amazon.com/general/latest/gr/rande.html>).
const HOSTS: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];

/// What is known of the catalog.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    sts: Client,
    region: String,
    /// Whose catalog it is, when that is not the caller's own.
    account: Option<String>,
    /// Who answers in the place of AWS's own Glue.
    stand_in: Option<String>,
    found: Arc<OnceCell<CatalogIdentity>>,
}

impl Identity {
    pub(super) fn of(clients: &AwsClients) -> Self {
        Self {
            sts: clients.sts.clone(),
            region: clients.region.clone(),
            account: clients.settings.catalog_id.clone(),
            stand_in: clients.glue_endpoint.as_deref().and_then(stand_in),
            found: Arc::default(),
        }
    }

    /// Returns it. Whose account it is, is asked once.
    pub(super) async fn get(&self) -> Result<CatalogIdentity> {
        self.found.get_or_try_init(|| self.find()).await.cloned()
    }

    async fn find(&self) -> Result<CatalogIdentity> {
        let account = match (&self.account, &self.stand_in) {
            (Some(account), _) => account.clone(),
            (None, None) => self.account_of_caller().await?,
            (None, Some(_)) => String::new(),
        };
        let parts = [Some("glue"), Some(&self.region), Some(&account), self.stand_in.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        // A space would end it.
        Ok(CatalogIdentity { id: parts.join(":").replace(' ', "_"), made_in: None })
    }

    async fn account_of_caller(&self) -> Result<String> {
        const HELP: &str = "or name the account, and it is not asked for: `catalog_id` in the profile";
        let with_way_out = |error: Error| {
            let help = error.help.as_ref().map_or_else(|| HELP.to_owned(), |help| format!("{help}; {HELP}"));
            error.help(help)
        };
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| with_way_out(failed(CALL, error)))?;
        answer.account.ok_or_else(|| {
            let message = format!("cannot {}: STS answered without an account", CALL.operation);
            with_way_out(Error::new(ErrorKind::External, CALL.operation, message))
        })
    }
}

/// Returns who answers at an address, host and port; none where that is AWS itself.
fn stand_in(address: &str) -> Option<String> {
    let Ok(url) = Url::parse(address) else { return Some(address.to_owned()) };
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    if HOSTS.iter().any(|end| host.ends_with(end)) {
        return None;
    }
    Some(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{AwsEndpoints, AwsKeys, AwsSettings};
    use crate::catalog::{AwsCatalog, Catalog as _};
    use crate::clock::SystemClock;
    use crate::crash::CrashPoints;

    /// An STS that knows the caller, and how often it was asked.
    async fn sts() -> (String, Arc<std::sync::atomic::AtomicU32>) {
        use std::sync::atomic::{AtomicU32, Ordering};
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut request, mut buffer) = (String::new(), [0; 4096]);
                // The form's last pair.
                while !request.contains("Version=2011-06-15") {
                    let read = stream.read(&mut buffer).await.unwrap();
                    request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
                }
                assert!(request.contains("Action=GetCallerIdentity"), "{request}");
                count.fetch_add(1, Ordering::SeqCst);
                let answer = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                              <GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/me</Arn><UserId>me</UserId>\
                              <Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    answer.len()
                );
                stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
            }
        });
        (address, asked)
    }

    async fn catalog(sts: &str, glue: Option<&str>, catalog_id: Option<&str>) -> AwsCatalog {
        let settings = AwsSettings {
            region: Some("eu-west-1".to_owned()),
            keys: Some(AwsKeys { id: "AKIDEXAMPLE".to_owned(), secret: "secret".to_owned() }),
            catalog_id: catalog_id.map(ToOwned::to_owned),
            endpoints: AwsEndpoints {
                sts: Some(sts.to_owned()),
                glue: glue.map(ToOwned::to_owned),
                ..AwsEndpoints::default()
            },
            ..AwsSettings::default()
        };
        let clients = AwsClients::open(&settings, Arc::new(SystemClock)).await.unwrap();
        AwsCatalog::new(&clients, Arc::new(SystemClock), CrashPoints::default())
    }

    #[tokio::test]
    async fn a_catalog_is_an_account_and_a_region_whatever_address_leads_to_it() {
        let (sts, asked) = sts().await;
        let own = "glue:eu-west-1:123456789012";
        let vpc = "https://vpce-1-2.glue.eu-west-1.vpce.amazonaws.com";
        let local = Some("http://127.0.0.1:5055/");
        for (glue, catalog_id, expected, calls) in [
            (None, None, own, 1),
            (Some(vpc), None, own, 1),
            (None, Some("123456789012"), own, 0),
            (None, Some("210987654321"), "glue:eu-west-1:210987654321", 0),
            (local, None, "glue:eu-west-1:http://127.0.0.1:5055", 0),
            (local, Some("1"), "glue:eu-west-1:1:http://127.0.0.1:5055", 0),
        ] {
            let before = asked.load(std::sync::atomic::Ordering::SeqCst);
            let catalog = catalog(&sts, glue, catalog_id).await;
            for _ in 0..2 {
                assert_eq!(catalog.identity().await.unwrap().unwrap().to_string(), expected);
                assert_eq!(catalog.clone().make_identity().await.unwrap().to_string(), expected);
            }
            assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst) - before, calls, "{expected}");
        }
    }

    #[tokio::test]
    async fn an_sts_that_does_not_know_the_caller_is_told_with_the_other_way() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", nobody.local_addr().unwrap());
        std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            let (mut stream, _) = nobody.accept().unwrap();
            let _read = stream.read(&mut [0; 8192]).unwrap();
            let answer = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>\
                          <Message>The security token included in the request is invalid</Message></Error></ErrorResponse>";
            let head = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-type: text/xml\r\ncontent-length:";
            stream.write_all(format!("{head} {}\r\n\r\n{answer}", answer.len()).as_bytes()).unwrap();
        });
        let error = catalog(&address, None, None).await.identity().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::PermissionDenied, "{error}");
        assert!(error.to_string().starts_with("cannot look whose catalog it is: The security token"), "{error}");
        assert!(error.help.unwrap().ends_with("`catalog_id` in the profile"));
    }
}
