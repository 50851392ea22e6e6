"""Prints what became of messages until it has heard of all that are named."""

import base64
import hashlib
import hmac
import json
import sys
import time
import urllib.parse

import uamqp


def plain_endpoint(host, policy, key):
    """User and token before the host, as a service client without an SDK connects."""
    expires_at = int(time.time()) + 3600
    digest = hmac.digest(base64.b64decode(key), f"{host}\n{expires_at}".encode(), hashlib.sha256)
    signature = urllib.parse.quote_plus(base64.b64encode(digest))
    token = f"SharedAccessSignature sr={host}&sig={signature}&se={expires_at}&skn={policy}"
    user = f"{policy}@sas.root.{host.split('.')[0]}"
    return f"{urllib.parse.quote_plus(user)}:{urllib.parse.quote_plus(token)}@{host}"


def main(service_connection_string, *message_ids):
    parts = dict(part.split("=", 1) for part in service_connection_string.split(";"))
    endpoint = plain_endpoint(parts["HostName"], parts["SharedAccessKeyName"], parts["SharedAccessKey"])
    client = uamqp.ReceiveClient(f"amqps://{endpoint}/messages/servicebound/feedback")
    waiting = set(message_ids)
    for message in client.receive_messages_iter():
        for record in json.loads(b"".join(message.get_data())):
            print(json.dumps(record), flush=True)
            waiting.discard(record["originalMessageId"])
        if not waiting:
            message.accept()
            break
    client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
