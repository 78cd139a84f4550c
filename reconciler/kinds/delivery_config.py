"""DeliveryConfig: where OrderCloud delivers messages and data, with the secrets that the receivers require."""

from typing import Any, Final

from reconciler.kinds.base import Kind
from reconciler.kinds.common import auth_header, chosen_id, config_data, flag, secret, text, texts, title, url
from reconciler.kinds.direction import grows
from reconciler.kinds.fields import Field, Record, Restore, Secrecy


def _endpoint(name: str = "Endpoint", **known: Any) -> Field:
    return url(name, "The URL that is called.", "https://receiver.example.com/messages", required=True, **known)


def _hidden(name: str, what: str, variable: str, max_length: int | None = None, *, required: bool = True) -> Field:
    meaning = f"The {what}. OrderCloud never returns it."
    return secret(name, meaning, variable, max_length, secret=Secrecy.WRITE_ONLY, required=required)


def _connection() -> Field:
    return _hidden("ConnectionString", "connection string", "AZURE_CONNECTION_STRING")


def _name(name: str, meaning: str, example: str, *, required: bool = True) -> Field:
    return text(name, meaning, example, required=required)


def _target(name: str, record: str, meaning: str, since: str, *fields: Field, until: str = "") -> Field:
    """One member of DeliveryTargets; null if it is not used."""
    examples: tuple[Any, ...] = ({one.name: one.examples[0] for one in fields if one.required},)
    return Field(name, Record(record, fields), meaning, examples=examples, since=since, until=until)


_CONTENT: Final = Record(
    "SearchIngestionContent",
    (
        texts("Locales", "The locales that are delivered.", "en_us", required=True),
        Field(
            "Http",
            Record("SearchIngestionHttpContent", (_endpoint(), *auth_header("Endpoint"))),
            "A service that returns the content.",
            examples=({"Endpoint": "https://content.example.com"},),
        ),
    ),
)

_TARGETS: Final = Record(
    "DeliveryTargets",
    (
        _target(
            "Kafka",
            "KafkaConfig",
            "An Apache Kafka topic.",
            "1.0.293",
            _name("BootstrapServers", "Bootstrap servers, separated by commas.", "kafka.example.com:9092"),
            _name("SaslUsername", "The user.", "ordercloud"),
            _hidden("SaslPassword", "password", "KAFKA_PASSWORD"),
            _name("Topic", "The topic.", "orders"),
        ),
        _target(
            "Http",
            "HttpConfig",
            "An HTTP receiver.",
            "1.0.293",
            _endpoint(),
            _hidden("Secret", "secret that the receiver requires", "RECEIVER_SECRET", 50),
            *auth_header("Endpoint", 50),
        ),
        _target(
            "SearchIngestion",
            "SearchIngestion",
            "Sitecore Search. Only with ProductSync.",
            "1.0.309",
            _name("Domain", "The domain ID.", "123456789"),
            _name("Source", "The source ID.", "1234567"),
            _endpoint(),
            _name("Entity", "The entity.", "product"),
            _hidden("ApiKey", "API key", "SEARCH_API_KEY"),
            Field("Content", _CONTENT, "The content that is delivered.", examples=({"Locales": ["en_us"]},)),
        ),
        _target(
            "SendEvent",
            "SendEvent",
            "Sitecore Send. Only with tracking events.",
            "1.0.293",
            _name("SiteID", "The site.", "a1b2c3"),
            _endpoint("ServiceEndpoint"),
        ),
        _target(
            "DiscoverEvent",
            "DiscoverEvent",
            "Sitecore Discover. Only with tracking events.",
            "1.0.293",
            _name("ClientID", "The client.", "a1b2c3"),
            _hidden("ApiKey", "API key", "DISCOVER_API_KEY"),
            _endpoint("ServiceEndpoint"),
        ),
        _target(
            "EventHub",
            "EventHubConfig",
            "An Azure Event Hub.",
            "1.0.293",
            _name("EventHubName", "The event hub.", "orders"),
            _connection(),
        ),
        _target(
            "AzureBlob",
            "AzureBlobConfig",
            "Azure Blob Storage.",
            "1.0.309",
            _connection(),
            _name("OverrideContainerName", "A container name other than the default.", "orders", required=False),
        ),
        _target(
            "AzureTable",
            "AzureTableConfig",
            "Azure Table Storage.",
            "1.0.338",
            _connection(),
            _name("OverrideTableName", "A table name other than the default.", "orders", required=False),
        ),
        _target(
            "CosmosDb",
            "CosmosDbConfig",
            "Azure Cosmos DB.",
            "1.0.349",
            _connection(),
            _name("OverrideDatabaseName", "A database name other than the default.", "orders", required=False),
        ),
        _target(
            "Mailchimp",
            "MailchimpConfig",
            "Mailchimp.",
            "",
            _hidden("ApiKey", "API key", "MAILCHIMP_API_KEY", required=False),
        ),
        _target(
            "MessageSender",
            "MessageSenderConfig",
            "A middleware that sends messages.",
            "1.0.322",
            _hidden("Secret", "secret that the receiver requires", "SENDER_SECRET", 50),
            _endpoint(),
        ),
        _target(
            "ContentHub",
            "ContentHubConfig",
            "Sitecore Content Hub. Only with ProductSync.",
            "1.0.354",
            _hidden("ApiKey", "API key", "CONTENT_HUB_API_KEY", 50),
            _endpoint(),
            _name("TargetSchemaName", "The schema.", "products"),
            config_data(),
        ),
        _target(
            "Mandrill",
            "MandrillConfig",
            "Mandrill, up to API 1.0.432. Later versions have Mailchimp.",
            "1.0.322",
            _hidden("ApiKey", "API key", "MANDRILL_API_KEY", 50),
            until="1.0.432",
        ),
    ),
)

DELIVERY_CONFIG: Final = Kind(
    name="DeliveryConfig",
    noun="delivery configuration",
    description="One delivery configuration: where OrderCloud delivers messages and data.",
    path="/integrations/deliveryconfig",
    source='API reference, "Delivery Configurations"',
    since="1.0.293",
    table=(
        title("Event hub", 128, required=True),
        flag("Enabled", "Whether deliveries are enabled.", direction_of=grows),
        Field(
            "DeliveryTargets",
            _TARGETS,
            "The receivers, one member for each; several are allowed.",
            examples=({"EventHub": {"EventHubName": "orders", "ConnectionString": {"fromEnv": "EVENT_HUB"}}},),
            required=True,
            restore=Restore.COPIES,
        ),
        chosen_id(),
    ),
    name_field="Name",
    writers=("DeliveryConfigAdmin",),
)
