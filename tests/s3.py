"""An S3 server, as moto makes one, and an MLflow server that keeps its artifacts there; both in threads, on 127.0.0.1.

A proxy (`tests.proxy`) stands before either, so that what goes wrong between them can be chosen.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.proxy import Proxy, proxy_to

BUCKET = "lab"


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

    def keys(self, prefix: str = "") -> list[str]:
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


@contextmanager
def s3_store(patch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A running S3 server; this process's libraries know its proxy, and keys for it."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        uri = f"http://{host}:{port}"
        with proxy_to(uri) as proxy:
            settings = {
                "AWS_ENDPOINT_URL": proxy.uri,
                "AWS_ACCESS_KEY_ID": "lab",
                "AWS_SECRET_ACCESS_KEY": "s3cret-key",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_MAX_ATTEMPTS": "2",
                "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            }
            for name, value in settings.items():
                patch.setenv(name, value)
            client = boto3.client("s3", endpoint_url=uri)
            client.create_bucket(Bucket=BUCKET)
            yield Store(uri, proxy, client)
            for key in Store(uri, proxy, client).keys():
                client.delete_object(Bucket=BUCKET, Key=key)
            client.delete_bucket(Bucket=BUCKET)
    finally:
        server.stop()


@contextmanager
def mlflow_on(folder: Path, empty_store: Path, destination: str, patch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """MLflow's own server, in a thread, which hands out artifacts that it keeps at ``destination``; yields its proxy."""
    from mlflow.server import app, handlers
    from werkzeug.serving import make_server

    folder.mkdir(parents=True)
    shutil.copy(empty_store, folder / "server.db")
    settings = {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder / 'server.db'}",
        "_MLFLOW_SERVER_REGISTRY_STORE": f"sqlite:///{folder / 'server.db'}",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": destination,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    }
    for name, value in settings.items():
        patch.setenv(name, value)
    # The server of an earlier test had others.
    for name in ("_tracking_store", "_model_registry_store", "_artifact_repo"):
        patch.setattr(handlers, name, None)
    with ExitStack() as stack:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        yield stack.enter_context(proxy_to(f"http://127.0.0.1:{server.server_port}"))
