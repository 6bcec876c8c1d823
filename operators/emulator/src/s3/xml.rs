//! The XML of S3: written by hand, read by names.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response};
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use crate::body::{self, ResponseBody};
use crate::error::{ApiError, ApiResult};

/// How deep elements may be nested in what clients send.
const MAX_DEPTH: usize = 16;

/// A document in the making.
#[derive(Debug)]
pub(super) struct Writer {
    text: String,
    open: Vec<&'static str>,
}

impl Writer {
    /// Starts a document with its outermost element.
    pub(super) fn new(root: &'static str) -> Self {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        );
        Self { text, open: vec![root] }
    }

    /// Starts an element that holds others.
    pub(super) fn open(&mut self, name: &'static str) -> &mut Self {
        self.text.extend(["<", name, ">"]);
        self.open.push(name);
        self
    }

    /// Ends the innermost element.
    pub(super) fn close(&mut self) -> &mut Self {
        if let Some(name) = self.open.pop() {
            self.text.extend(["</", name, ">"]);
        }
        self
    }

    /// Ends the innermost element, which was started with attributes.
    pub(super) fn close_as(&mut self, name: &str) -> &mut Self {
        if self.open.pop().is_some() {
            self.text.extend(["</", name, ">"]);
        }
        self
    }

    /// Writes an element with a text.
    pub(super) fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.text.extend(["<", name, ">", &escape(value), "</", name, ">"]);
        self
    }

    /// Writes an element when there is a text.
    pub(super) fn some(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// Ends the document.
    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    /// Ends the document and answers with it.
    pub(super) fn respond(self) -> Response<ResponseBody> {
        let mut response = Response::new(body::full(self.finish()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        response
    }
}

/// Writes a text where it cannot be taken for markup.
fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

/// Makes the answer that says an error; that of a `HEAD` has no text.
pub(crate) fn respond_error(error: &ApiError, parts: &Parts, request_id: &str) -> Response<ResponseBody> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><Resource>{}</Resource>\
         <RequestId>{}</RequestId></Error>",
        escape(&error.code),
        escape(&error.message),
        escape(parts.uri.path()),
        escape(request_id)
    );
    let bodiless = parts.method == Method::HEAD || error.status == hyper::StatusCode::NOT_MODIFIED;
    let mut response = Response::new(if bodiless { body::empty() } else { body::full(text) });
    *response.status_mut() = error.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-amz-request-id", id);
    }
    response
}

/// An element that was read: its name without a prefix, its text, the elements in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    text: String,
    pub(super) children: Vec<Self>,
}

impl Element {
    /// Reads a document.
    pub(super) fn parse(bytes: &[u8]) -> ApiResult<Self> {
        let malformed =
            |why: String| ApiError::client("MalformedXML", format!("the body is no XML that is expected here: {why}"));
        let text = std::str::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
        let mut reader = Reader::from_str(text);
        // The outermost element becomes the one child of this.
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|error| malformed(error.to_string()))? {
                Event::Start(start) => {
                    if open.len() > MAX_DEPTH {
                        return Err(malformed("it is nested too deep".to_owned()));
                    }
                    open.push(Self { name: local_name(start.local_name().as_ref()), ..Self::default() });
                }
                Event::Empty(start) => {
                    let element = Self { name: local_name(start.local_name().as_ref()), ..Self::default() };
                    if let Some(parent) = open.last_mut() {
                        parent.children.push(element);
                    }
                }
                Event::End(_) => {
                    let Some(element) = open.pop() else { return Err(malformed("an end without a start".to_owned())) };
                    let Some(parent) = open.last_mut() else {
                        return Err(malformed("an end without a start".to_owned()));
                    };
                    parent.children.push(element);
                }
                Event::Text(text) => {
                    let text = text.decode().map_err(|error| malformed(error.to_string()))?;
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text);
                    }
                }
                Event::CData(data) => {
                    let data = data.decode().map_err(|error| malformed(error.to_string()))?;
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&data);
                    }
                }
                Event::GeneralRef(reference) => {
                    let name = reference.decode().map_err(|error| malformed(error.to_string()))?;
                    let character = match reference.resolve_char_ref().map_err(|error| malformed(error.to_string()))? {
                        Some(character) => character.to_string(),
                        None => quick_xml::escape::resolve_predefined_entity(&name)
                            .ok_or_else(|| malformed(format!("the entity `{name}` is not known")))?
                            .to_owned(),
                    };
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&character);
                    }
                }
                Event::DocType(_) => return Err(malformed("a document type is not taken".to_owned())),
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            }
        }
        let mut root =
            open.pop().filter(|_| open.is_empty()).ok_or_else(|| malformed("it ends too early".to_owned()))?;
        root.children.pop().ok_or_else(|| malformed("it is empty".to_owned()))
    }

    /// Returns the elements of a name in this one.
    pub(super) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Returns the text of the first element of a name in this one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.name == name).map(|child| child.text.as_str())
    }
}

fn local_name(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let mut writer = Writer::new("Delete");
        for key in ["a&b", "<x>", "plain", "sp ace \"q\" 'r'", "snow ☃"] {
            writer.open("Object").text("Key", key).close();
        }
        let read = Element::parse(writer.finish().as_bytes()).unwrap();
        assert_eq!(read.name, "Delete");
        let keys: Vec<_> = read.all("Object").filter_map(|object| object.get("Key")).collect();
        assert_eq!(keys, ["a&b", "<x>", "plain", "sp ace \"q\" 'r'", "snow ☃"]);
        let numbered = Element::parse(b"<D xmlns='x'><Key>a&#10;&#x26;b</Key><Quiet/></D>").unwrap();
        assert_eq!((numbered.get("Key"), numbered.get("Quiet")), (Some("a\n&b"), Some("")));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bb\">]><a>&b;</a>";
        for text in ["", "x", "<a>", "<a></b>", "</a>", "<a>&b;</a>", &deep, bomb] {
            assert_eq!(Element::parse(text.as_bytes()).unwrap_err().code, "MalformedXML", "{text}");
        }
    }
}
