"""azure-eventhub, set up for the cases: clients by column, and consumers that read in the background."""

import threading
from collections import defaultdict

from azure.eventhub import EventHubConsumerClient, TransportType

from framework import EVENTHUB_PLAIN, EVENTHUB_WS
from hub import Inbox

FROM_THE_START = "-1"


def connection_string(c, policy="service", key=None):
    """What the column's user pastes."""
    text = c.hub.event_hubs_connection_string(policy, key)
    return text + (";UseDevelopmentEmulator=true" if c.column == EVENTHUB_PLAIN else "")


def options(c):
    """What the column's user sets besides: the way, and the CA, which this SDK takes from nowhere else."""
    if c.column == EVENTHUB_PLAIN:
        return {}
    way = TransportType.AmqpOverWebsocket if c.column == EVENTHUB_WS else TransportType.Amqp
    return {"transport_type": way, "connection_verify": c.hub.ca_file}


def consumer_client(c, group, policy="service", key=None, **more):
    """A client that gives up at the first failure unless told otherwise."""
    more = {"retry_total": 0, **options(c), **more}
    client = EventHubConsumerClient.from_connection_string(connection_string(c, policy, key), group, **more)
    c.at_end(client.close)
    return client


def text(event):
    return event.body_as_str()


def annotation(event, name):
    value = event.raw_amqp_message.annotations.get(name.encode())
    return value.decode() if isinstance(value, bytes) else value


class Reading:
    """What a consumer receives of one device, or of all, from one source, or from all, and what goes wrong, until it is
    closed. It receives batches, for one by one (no `batch_max`) the SDK looks for more before it hands out the next.
    """

    def __init__(self, c, client, device, source="Telemetry", batch_max=300, is_checkpointed=False, **position):
        self.client = client
        self.events, self.batches, self.errors = Inbox("event"), Inbox("batch"), Inbox("error")
        self._sequence_numbers = defaultdict(list)
        self._device, self._source = device, source
        self._is_checkpointed = is_checkpointed
        handlers = {"on_error": lambda partition, error: self.errors.put(error)}
        position = {"starting_position": FROM_THE_START, **position}
        if batch_max is None:
            call, handlers["on_event"] = client.receive, self._receive
        else:
            call, handlers["on_event_batch"] = client.receive_batch, self._receive_batch
            position["max_batch_size"] = batch_max
        self._thread = threading.Thread(target=call, kwargs={**handlers, **position}, daemon=True)
        self._thread.start()
        c.at_end(self.close)

    def sequence_numbers(self, partition):
        """Those of all events of a partition so far; more may come while they are looked at."""
        return list(self._sequence_numbers[str(partition)])

    def close(self):
        """Returns when its links are closed, too."""
        self.client.close()
        self._thread.join(10)

    def _receive(self, partition, event):
        self._sequence_numbers[partition.partition_id].append(event.sequence_number)
        if self._is_wanted(event):
            event.last_enqueued = partition.last_enqueued_event_properties
            self.events.put(event)
        if self._is_checkpointed:
            partition.update_checkpoint(event)

    def _is_wanted(self, event):
        is_own = self._device is None or annotation(event, "iothub-connection-device-id") == self._device.device_id
        return is_own and self._source in (None, annotation(event, "iothub-message-source"))

    def _receive_batch(self, partition, events):
        self.batches.put(len(events))
        for event in events:
            self._receive(partition, event)


def read(c, device, group=None, client=None, **more):
    """Begins to read; where, is told as to the SDK."""
    return Reading(c, client or consumer_client(c, group or c.group), device, **more)


def at(logged, **more):
    """From this event of the log on."""
    position = {"starting_position": logged.sequence_number, "starting_position_inclusive": True}
    return {"partition_id": str(logged.partition), **position, **more}


def after(logged, **more):
    """From what comes after this event of the log."""
    return at(logged, starting_position_inclusive=False, **more)
