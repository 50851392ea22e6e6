"""Tokens that are renewed, and those that are not."""

from azure.iot.device.exceptions import CredentialError

from framework import SAS, case, equal, refused
from hub import Inbox

# The SDK renews 120 s before the end of a token.
RENEWED_AFTER_2_S = 122


@case("token/renewed-by-the-client", columns=SAS)
def renewed_by_the_client(c):
    device = c.device()
    client = c.client(device, sastoken_ttl=RENEWED_AFTER_2_S)
    states = c.connection_states(client)
    methods = Inbox("method")
    client.connect()
    client.on_method_request_received = methods.put
    equal(states.take_many(3), [True, False, True], "states")
    client.send_message("with a new token")
    equal(c.events(device).take().body, b"with a new token")


@case("token/replaced-by-the-application", columns=SAS, is_slow=True)
def replaced_by_the_application(c):
    device = c.device()
    # A connection whose token ends is the watch: when it is cut, the first token of the other has ended, too.
    watch = c.device()
    watched = c.client(watch, sastoken=c.token(watch, 4), connection_retry=False, auto_connect=False)
    client = c.client(device, sastoken=c.token(device, 3))
    states = c.connection_states(watched)
    client.connect()
    watched.connect()
    client.update_sastoken(c.token(device, 3600))
    equal(states.take_many(2), [True, False], "states of the connection that is not renewed")
    equal(client.connected, True, "connected")
    client.send_message("still here")
    equal(c.events(device).take().body, b"still here")


@case("token/cut-at-its-end", columns=SAS, is_slow=True)
def cut_at_its_end(c):
    device = c.device()
    client = c.client(device, sastoken=c.token(device, 3), connection_retry=False, auto_connect=False)
    states = c.connection_states(client)
    client.connect()
    client.send_message("in time")
    equal(states.take_many(2), [True, False], "states")
    refused(client.connect, CredentialError)
    equal(c.events(device).take().body, b"in time")


@case("token/of-another-device", columns=SAS)
def of_another_device(c):
    device, other = c.device(), c.device()
    device_with_the_key_of_the_other = c.unregistered(device.device_id)
    device_with_the_key_of_the_other.key = other.key
    refused(c.client(device_with_the_key_of_the_other).connect, CredentialError)
