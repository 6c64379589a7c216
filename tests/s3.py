"""An S3 server, as moto makes one, and MLflow's server as far as it hands out artifacts; in threads, on 127.0.0.1.

A proxy (`tests.proxy`) stands before the first, so that what goes wrong with it can be chosen.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.proxy import Proxy, proxy_to

BUCKET = "lab"
# What libraries of AWS are told by the environment.
KEYS = {"AWS_ACCESS_KEY_ID": "lab", "AWS_SECRET_ACCESS_KEY": "s3cret-key", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True)
class Store:
    """An S3 server with one bucket.

    Attributes:
        uri: of the server.
        proxy: before it.
        client: boto3's, past the proxy.
    """

    uri: str
    proxy: Proxy
    client: Any

    def held(self, prefix: str = "") -> list[str]:
        """What the bucket holds."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", ())]

    def read(self, key: str) -> bytes:
        """An object's content."""
        return bytes(self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def write(self, key: str, content: bytes) -> None:
        """Write, or replace, an object."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def unfinished(self) -> list[str]:
        """Uploads in parts that were neither completed nor given up."""
        return [one["Key"] for one in self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())]

    def empty(self) -> None:
        """Remove all objects."""
        for key in self.held():
            self.client.delete_object(Bucket=BUCKET, Key=key)


@contextmanager
def s3_store() -> Iterator[Store]:
    """A running S3 server."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        uri = f"http://{host}:{port}"
        with proxy_to(uri) as proxy:
            client = boto3.client(
                "s3",
                endpoint_url=uri,
                region_name=KEYS["AWS_DEFAULT_REGION"],
                aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            )
            client.create_bucket(Bucket=BUCKET)
            store = Store(uri, proxy, client)
            yield store
            store.empty()  # moto keeps its stores in the process
            client.delete_bucket(Bucket=BUCKET)
    finally:
        server.stop()


@contextmanager
def artifacts_server(destination: str, patch: pytest.MonkeyPatch) -> Iterator[str]:
    """MLflow's own code for handing out artifacts that are kept at ``destination``, without a store of runs."""
    from mlflow.server import app, handlers
    from werkzeug.serving import make_server

    for name, value in {"DESTINATION": destination, "ROOT": "mlflow-artifacts:/"}.items():
        patch.setenv(f"_MLFLOW_SERVER_ARTIFACT_{name}", value)
    patch.setenv("_MLFLOW_SERVER_SERVE_ARTIFACTS", "true")
    patch.setattr(handlers, "_tracking_store", object())  # whose kind it tells clients, and no more
    patch.setattr(handlers, "_artifact_repo", None)  # of an earlier test
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
