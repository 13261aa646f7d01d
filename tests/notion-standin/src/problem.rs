//! Errors as Notion words them.

use serde_json::{Map, Value, json};

/// An error reply: everything but the request id, which the server adds to every reply.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) additional: Option<Box<Value>>,
}

impl Problem {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), additional: None }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "validation_error", message)
    }

    /// One or more findings about the body's shape. Notion lists several below each other after "Fix one:", also where
    /// one alone would not help.
    pub(crate) fn body(findings: &[String]) -> Self {
        match findings {
            [one] => Self::validation(format!("body failed validation: {one}")),
            many => Self::validation(format!("body failed validation. Fix one:\n{}", many.join("\n"))),
        }
    }

    pub(crate) fn invalid_url() -> Self {
        Self::new(400, "invalid_request_url", "Invalid request URL.")
    }

    pub(crate) fn invalid_json() -> Self {
        Self::new(400, "invalid_json", "Error parsing JSON body.")
    }

    pub(crate) fn not_found(what: &str, id: &str, integration: &str, integration_id: &str) -> Self {
        let message = format!(
            "Could not find {what} with ID: {id}. Make sure the relevant pages and databases are shared with your \
             integration \"{integration}\"."
        );
        let additional = Some(Box::new(json!({ "integration_id": integration_id })));
        Self { additional, ..Self::new(404, "object_not_found", message) }
    }

    /// What Notion says with a status that no request of ours provokes by itself.
    pub(crate) fn of_status(status: u16) -> Self {
        let (code, message) = match status {
            400 => ("validation_error", "body failed validation."),
            401 => ("unauthorized", "API token is invalid."),
            403 => ("restricted_resource", "API token does not have access to this resource."),
            404 => ("object_not_found", "Could not find object."),
            409 => ("conflict_error", "Conflict occurred while saving. Please try again."),
            429 => ("rate_limited", "You have been rate limited. Please try again in a few minutes."),
            500 => ("internal_server_error", "Unexpected error occurred."),
            502 => ("bad_gateway", "Bad Gateway"),
            503 => ("service_unavailable", "Notion is unavailable, please try again later."),
            504 => ("gateway_timeout", "Gateway Timeout"),
            529 => ("service_overload", "Notion is overloaded, please try again later."),
            _ => ("internal_server_error", "notion-standin: a status that the test asked for."),
        };
        Self::new(status, code, message)
    }

    pub(crate) fn to_value(&self) -> Value {
        let mut body = Map::new();
        body.insert("object".into(), json!("error"));
        body.insert("status".into(), json!(self.status));
        body.insert("code".into(), json!(self.code));
        body.insert("message".into(), json!(self.message));
        if let Some(additional) = &self.additional {
            body.insert("additional_data".into(), (**additional).clone());
        }
        Value::Object(body)
    }
}
