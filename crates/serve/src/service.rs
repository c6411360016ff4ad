//! From an HTTP request to an HTTP response: routing, reading, calling, shaping.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ALLOW, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::request::Parts;
use hyper::{Method, Request as HttpRequest, Response as HttpResponse, StatusCode, Uri};
use nexus_handler::{Error, Request, Response};

use crate::Page;
use crate::body;
use crate::endpoint::Endpoint;
use crate::fault::Fault;
use crate::limits::PAGES_MAX;
use crate::queue::Answer;
use crate::route::Route;
use crate::state::State;

type Reply = HttpResponse<Full<Bytes>>;

const CUSTOM_ATTRIBUTES: HeaderName = HeaderName::from_static("x-amzn-sagemaker-custom-attributes");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const VARIANT: HeaderName = HeaderName::from_static("x-amzn-invoked-production-variant");
/// The variant's name that SageMaker's own tools give when nobody names one.
const DEFAULT_VARIANT: HeaderValue = HeaderValue::from_static("AllTraffic");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Answers one request. Whatever happens, there is a response.
pub(crate) async fn answer(state: &State, request: HttpRequest<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let mut reply = match Route::parse(head.uri.path()) {
        Route::Invocations => {
            let endpoint = state.endpoints.first().ok_or(Fault::UnknownOperation);
            as_container(invoke(state, endpoint, &head, body).await)
        }
        Route::Endpoint(name) => {
            let endpoint = find(state, &name);
            as_sagemaker(state, invoke(state, endpoint, &head, body).await)
        }
        other => {
            body::skip(body, &head.headers);
            match other {
                Route::Ping => ping(state, &head.method),
                Route::MalformedName => as_sagemaker(state, Err(Fault::MalformedName)),
                Route::UnknownOperation => as_sagemaker(state, Err(Fault::UnknownOperation)),
                _ => page(state, &head.method, &head.uri).await,
            }
        }
    };
    if state.is_draining() {
        reply
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}

fn ping(state: &State, method: &Method) -> Reply {
    if method != Method::GET && method != Method::HEAD {
        return fault_reply(&Fault::WrongMethod { allow: "GET, HEAD" });
    }
    match state.endpoints.iter().find(|endpoint| !endpoint.is_ready()) {
        None => HttpResponse::new(Full::default()),
        Some(endpoint) => fault_reply(&Fault::NotReady {
            name: endpoint.name.clone(),
        }),
    }
}

async fn page(state: &State, method: &Method, uri: &Uri) -> Reply {
    let Some(site) = state.site.clone() else {
        return fault_reply(&Fault::NoPage);
    };
    if method != Method::GET && method != Method::HEAD {
        return fault_reply(&Fault::WrongMethod { allow: "GET, HEAD" });
    }
    let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or("").to_owned());
    // The permit lives as long as the work, also when the client has gone.
    let Ok(permit) = Arc::clone(&state.pages).try_acquire_owned() else {
        return fault_reply(&Fault::QueueFull { len_max: PAGES_MAX });
    };
    let render = move || {
        let _permit = permit;
        site.get(&path, &query)
    };
    match tokio::task::spawn_blocking(render).await {
        Ok(Some(page)) => page_reply(page),
        Ok(None) => fault_reply(&Fault::NoPage),
        Err(_panicked) => fault_reply(&Error::internal("the page's program panicked").into()),
    }
}

fn page_reply(page: Page) -> Reply {
    let (Ok(status), Ok(content_type)) = (
        StatusCode::from_u16(page.status),
        HeaderValue::from_str(&page.content_type),
    ) else {
        return fault_reply(&Error::internal("the page has no valid status or type").into());
    };
    let mut reply = HttpResponse::new(Full::new(page.body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

fn find<'a>(state: &'a State, name: &str) -> Result<&'a Endpoint, Fault> {
    state
        .endpoints
        .iter()
        .find(|endpoint| endpoint.name == name)
        .ok_or_else(|| Fault::UnknownEndpoint {
            name: name.to_owned(),
        })
}

async fn invoke(
    state: &State,
    endpoint: Result<&Endpoint, Fault>,
    head: &Parts,
    body: Incoming,
) -> Answer {
    let endpoint = match endpoint.and_then(|endpoint| admit(endpoint, &head.method)) {
        Ok(endpoint) => endpoint,
        Err(fault) => {
            body::skip(body, &head.headers);
            return Err(fault);
        }
    };
    let body = body::read(body, &head.headers, &state.limits).await?;
    endpoint
        .answer(request(body, &head.headers)?, &state.limits)
        .await
}

/// Refuses what can be refused before the body is read.
fn admit<'a>(endpoint: &'a Endpoint, method: &Method) -> Result<&'a Endpoint, Fault> {
    if method != Method::POST {
        return Err(Fault::WrongMethod { allow: "POST" });
    }
    if !endpoint.is_ready() {
        return Err(Fault::NotReady {
            name: endpoint.name.clone(),
        });
    }
    Ok(endpoint)
}

/// What the handler gets to see of a request.
fn request(body: Bytes, headers: &HeaderMap) -> Result<Request, Fault> {
    let mut request = Request::new(body);
    if let Some(content_type) = text(headers, &CONTENT_TYPE, "Content-Type")? {
        request = request.with_content_type(content_type);
    }
    if let Some(accept) = text(headers, &ACCEPT, "Accept")? {
        request = request.with_accept(accept);
    }
    let name = "X-Amzn-SageMaker-Custom-Attributes";
    if let Some(attributes) = text(headers, &CUSTOM_ATTRIBUTES, name)? {
        request = request.with_custom_attributes(attributes);
    }
    Ok(request)
}

fn text<'a>(
    headers: &'a HeaderMap,
    header: &HeaderName,
    name: &'static str,
) -> Result<Option<&'a str>, Fault> {
    let value = headers.get(header).map(HeaderValue::to_str).transpose();
    value.map_err(|_| Fault::HeaderNotText { name })
}

/// Shapes an answer as a SageMaker container does: the handler's status and body are the client's.
fn as_container(answer: Answer) -> Reply {
    answer
        .and_then(response_reply)
        .unwrap_or_else(|fault| fault_reply(&fault))
}

/// Shapes an answer as the SageMaker runtime API does.
fn as_sagemaker(state: &State, answer: Answer) -> Reply {
    let answer = answer.and_then(|response| match response.status() {
        200..=299 => response_reply(response),
        status => Err(Fault::Model {
            status,
            message: String::from_utf8_lossy(response.body()).into_owned(),
        }),
    });
    let mut reply = match answer {
        Ok(mut reply) => {
            reply.headers_mut().insert(VARIANT, DEFAULT_VARIANT);
            reply
        }
        Err(fault) => {
            let error = fault.to_aws();
            let mut reply = json_reply(error.status, error.body, &fault);
            reply
                .headers_mut()
                .insert(ERROR_TYPE, HeaderValue::from_static(error.code));
            reply
        }
    };
    let id = HeaderValue::from_maybe_shared(Bytes::from(state.request_ids.next()));
    reply
        .headers_mut()
        .insert(REQUEST_ID, id.expect("hexadecimal digits and hyphens"));
    reply
}

fn response_reply(response: Response) -> Result<Reply, Fault> {
    let value = |text: &str, what: &str| {
        HeaderValue::from_str(text)
            .map_err(|_| Error::internal(format!("the handler's {what} is no header value")))
    };
    let status = StatusCode::from_u16(response.status())
        .ok()
        .filter(|status| !status.is_informational())
        .ok_or_else(|| Error::internal("the handler's status is outside 200 to 999"))?;
    let content_type = response
        .content_type()
        .map_or(Ok(OCTETS), |text| value(text, "content type"))?;
    let attributes = response
        .custom_attributes()
        .map(|text| value(text, "custom attributes"))
        .transpose()?;
    let mut reply = HttpResponse::new(Full::new(response.into_body()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    if let Some(attributes) = attributes {
        reply.headers_mut().insert(CUSTOM_ATTRIBUTES, attributes);
    }
    Ok(reply)
}

fn fault_reply(fault: &Fault) -> Reply {
    json_reply(fault.status(), fault.body(), fault)
}

fn json_reply(status: u16, body: String, fault: &Fault) -> Reply {
    let mut reply = HttpResponse::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    match fault {
        Fault::WrongMethod { allow } => {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        // Part of the body is unread: this connection cannot carry another request.
        Fault::BodyTooLarge { .. } | Fault::BodyTimedOut => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        fault if fault.is_passing() => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    reply
}
