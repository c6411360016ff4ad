"""The peer: an endpoint in FastAPI that answers with the request's own body."""

from fastapi import FastAPI, Request, Response

app = FastAPI()


@app.get("/ping")
def ping() -> Response:
    return Response()


@app.post("/invocations")
async def invocations(request: Request) -> Response:
    content_type = request.headers.get("content-type")
    return Response(await request.body(), media_type=content_type)
