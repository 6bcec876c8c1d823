//! Tags of objects.

use hyper::Response;
use indexmap::IndexMap;
use lake::name::Location;

use super::bucket::no_content;
use super::object::check_tags;
use super::upload::Upload;
use super::xml::{Element, Writer};
use super::{Answer, Request, S3, io_failed, no_such_key};
use crate::body;
use crate::error::{ApiError, ApiResult};

impl S3 {
    pub(super) async fn get_tagging(&self, request: &Request<'_>) -> Answer {
        self.buckets.require(&request.address.bucket()?).await?;
        let object = self.find(&request.address.object()?).await?.ok_or_else(no_such_key)?;
        let mut xml = Writer::new("Tagging");
        xml.open("TagSet");
        for (name, value) in &object.note.tags {
            xml.open("Tag").text("Key", name).text("Value", value).close();
        }
        Ok(xml.respond())
    }

    pub(super) async fn put_tagging(&self, request: Request<'_>) -> Answer {
        self.buckets.require(&request.address.bucket()?).await?;
        let location = request.address.object()?;
        let text = Upload::new(request.parts, request.payload, request.body)?.document().await?;
        let malformed =
            || ApiError::client("MalformedXML", "expected `Tagging` with a `TagSet` of tags with `Key` and `Value`");
        let document = Element::parse(&text)?;
        let mut tags = IndexMap::new();
        for tag in document.all("TagSet").flat_map(|set| set.all("Tag")) {
            let (Some(name), Some(value)) = (tag.get("Key"), tag.get("Value")) else { return Err(malformed()) };
            if tags.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(ApiError::client("InvalidTag", format!("the tag `{name}` stands twice")));
            }
        }
        if document.name != "Tagging" {
            return Err(malformed());
        }
        check_tags(&tags)?;
        self.set_tags(&location, tags).await?;
        Ok(Response::new(body::empty()))
    }

    pub(super) async fn delete_tagging(&self, request: &Request<'_>) -> Answer {
        self.buckets.require(&request.address.bucket()?).await?;
        self.set_tags(&request.address.object()?, IndexMap::new()).await?;
        Ok(no_content())
    }

    async fn set_tags(&self, location: &Location, tags: IndexMap<String, String>) -> ApiResult<()> {
        let _held = self.notes.lock(location).await;
        let object = self.find(location).await?.ok_or_else(no_such_key)?;
        let file = self.files.file(location);
        let metadata = tokio::fs::metadata(&file).await.map_err(io_failed("read an object", &file))?;
        let note = super::note::Note { tags, ..object.note };
        self.notes.write(location, &metadata, note).await.map(|_| ())
    }
}
