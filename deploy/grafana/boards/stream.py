"""The stream's board: labels, text, dead letters, drift, and the replay buffer."""

from boards import board
from boards.board import PanelRow
from boards.panels import (
    GREEN,
    RED,
    SHARE,
    STACKED,
    Json,
    bars,
    graph,
    latest,
    number,
    query,
    spread,
    steps,
)
from boards.promql import CONSUMER, PRODUCER, WHOLE_STREAM, per_second


def _documents() -> list[PanelRow]:
    labels = number(
        "Labels",
        "Labels discovered in the stream so far.",
        query(f"max(newsreel_labels{CONSUMER})", "labels"),
        unit="short",
    )
    documents = number(
        "Documents",
        "Documents predicted since the stream began, with or without labels.",
        query(f"sum(newsreel_documents_total{CONSUMER})", "documents"),
        unit="short",
    )
    unlabelled = number(
        "Unlabelled",
        "Share of documents without a label. They are predicted and not learned.",
        query(
            'sum(newsreel_documents_total{job="$consumer", labelled="false"})'
            f" / sum(newsreel_documents_total{CONSUMER})",
            "unlabelled",
        ),
        noValue="none",
        **SHARE,
    )
    letters = number(
        "Dead letters",
        "Records that could not be decoded or learned, since the stream began.",
        query(f"sum(newsreel_dead_letters_total{CONSUMER})", "dead letters"),
        unit="short",
        noValue="none",
        **steps(GREEN, (1, RED)),
    )
    mix = graph(
        "Mix of labels",
        "Share of each label among the last 1000 documents. Bands that come and go mean that the"
        " stream is not shuffled; the board Learning then shows whether labels are forgotten.",
        query(f"max by (label) (newsreel_prequential_label_share{CONSUMER})", "{{label}}"),
        custom={**STACKED, "lineWidth": 0},
        **SHARE,
    )
    counts = bars(
        "Documents by label",
        "The twenty-five most frequent labels since the stream began.",
        latest(
            f"sort_desc(topk(25, max by (label) (newsreel_label_documents_total{CONSUMER})))",
            "{{label}}",
        ),
        unit="short",
        min=0,
    )
    return [
        (4, [(6, documents), (6, labels), (6, unlabelled), (6, letters)]),
        (12, [(16, mix), (8, counts)]),
    ]


def _text() -> list[PanelRow]:
    tokens = graph(
        "Tokens per second",
        "Tokens that the encoder reads. It reads only the beginning of long texts.",
        query(per_second("newsreel_tokens_total"), "tokens"),
        unit="suffix:/s",
        min=0,
    )
    length = graph(
        "Tokens of a document",
        "Mean number of tokens that the encoder reads of a document, over five minutes. A change"
        " of this value is a change of the stream.",
        query(
            f"sum(rate(newsreel_tokens_total{CONSUMER}[5m]))"
            f" / sum(rate(newsreel_documents_total{CONSUMER}[5m]))",
            "tokens",
        ),
        unit="short",
        min=0,
    )
    published = graph(
        "Published per second",
        "Bytes of keys and values that the producer publishes, before compression.",
        query(per_second("newsreel_producer_bytes_total", PRODUCER), "bytes"),
        unit="Bps",
        min=0,
        noValue="no producer",
    )
    letters = bars(
        "Dead letters by reason",
        "Dead letters since the stream began. They are in the dead-letter topic, with details in"
        " their headers.",
        latest(f"sum by (reason) (newsreel_dead_letters_total{CONSUMER})", "{{reason}}"),
        unit="short",
        min=0,
        noValue="none",
        **steps(GREEN, (1, RED)),
    )
    return [(8, [(6, tokens), (6, length), (6, published), (6, letters)])]


def _replay() -> list[PanelRow]:
    fill = graph(
        "Buffer",
        "Documents in the replay buffer, and its capacity.",
        query(f"max(newsreel_replay_buffer_documents{CONSUMER})", "documents"),
        query(f"max(newsreel_replay_buffer_capacity{CONSUMER})", "capacity"),
        unit="short",
        min=0,
    )
    age = graph(
        "Age",
        "Mean age of the documents in the buffer, in documents of the stream. It grows with the"
        " stream, because the buffer reaches back to its beginning.",
        query(f"max(newsreel_replay_buffer_age_documents{CONSUMER})", "documents ago"),
        unit="short",
        min=0,
    )
    balance = graph(
        "Balance",
        "Entropy of the labels in the buffer, relative to its maximum. At 1, all labels are"
        " equally frequent.",
        query(f"max(newsreel_replay_buffer_balance{CONSUMER})", "balance"),
        min=0,
        max=1,
        decimals=2,
    )
    ratio = graph(
        "Replayed for each new one",
        "Replay ratio of the last learning step. With --target-lag it falls with the lag.",
        query(f"max(newsreel_replay_ratio{CONSUMER})", "replayed"),
        min=0,
        decimals=2,
    )
    return [(8, [(6, fill), (6, age), (6, balance), (6, ratio)])]


def _drift() -> list[PanelRow]:
    distance = graph(
        "Distance of the texts",
        "Squared distance of the last 200 texts from those after the last change, relative to its"
        " expectation by chance: about 1 in a stream that does not change, a drift above 2.5. It"
        " needs no labels.",
        query(f"max(newsreel_input_distance{CONSUMER})", "distance"),
        unit="short",
        decimals=1,
        min=0,
        custom={"thresholdsStyle": {"mode": "line"}},
        **steps(GREEN, (2.5, RED)),
    )
    noticed = graph(
        "Detected after",
        "Documents of the stream at its last simulated change, as the producer reports it, and at"
        " the last drift detected on the error or on the texts. The difference is the delay of the"
        " detector.",
        query(
            f'max(newsreel_producer_change_documents{{job="$producer", {WHOLE_STREAM}}})', "changed"
        ),
        query(f"max by (detector) (newsreel_drift_documents{CONSUMER})", "detected: {{detector}}"),
        unit="short",
        min=0,
    )
    drifts = graph(
        "Drifts",
        "Drifts detected since the stream began, and labels forgotten because of them.",
        query(f"sum by (detector) (newsreel_drifts_total{CONSUMER})", "{{detector}}"),
        query(f"sum(newsreel_forgotten_labels_total{CONSUMER})", "labels forgotten"),
        unit="short",
        min=0,
    )
    changes = bars(
        "Simulated changes",
        "Changes of a simulated stream (--scenario), as the topic of truth reports them.",
        latest(
            f"sum by (scenario, what) (newsreel_producer_changes_total{PRODUCER})",
            "{{scenario}}: {{what}}",
        ),
        unit="short",
        min=0,
        noValue="none",
    )
    return [(8, [(6, distance), (6, noticed), (6, drifts), (6, changes)])]


def _late_labels() -> list[PanelRow]:
    pending = graph(
        "Waiting for labels",
        "Documents that were predicted and wait for their labels (--late-labels), labels that wait"
        " for their documents, and records of the topic of labels that are not read yet.",
        query(f"max(newsreel_pending_documents{CONSUMER})", "documents"),
        query(f"max(newsreel_early_labels{CONSUMER})", "labels"),
        query(f"max(newsreel_label_lag_records{CONSUMER})", "labels not read yet"),
        unit="short",
        min=0,
    )
    delay = graph(
        "Delay of labels",
        "Time from a document's record to its label's record; median and 99th percentile.",
        *spread("newsreel_label_delay_seconds"),
        unit="s",
        min=0,
        noValue="no late labels",
    )
    outcomes = bars(
        "Late labels",
        "Outcomes of late labels, and documents that expired before their label came.",
        latest(f"sum by (fate) (newsreel_late_labels_total{CONSUMER})", "{{fate}}"),
        unit="short",
        min=0,
    )
    accuracies = graph(
        "Accuracy on arrival, and later",
        "Accuracy over the last 1000 labelled documents: of predictions made on arrival, and of"
        " predictions made again just before the documents were learned.",
        query(
            'max(newsreel_prequential_accuracy{job="$consumer", window="last_1000"})',
            "on arrival",
        ),
        query(f"max(newsreel_repredicted_accuracy{CONSUMER})", "before learning"),
        noValue="no late labels",
        **SHARE,
    )
    return [(8, [(6, accuracies), (6, pending), (6, delay), (6, outcomes)])]


def build() -> Json:
    """Build the board."""
    return board.build(
        "stream",
        "newsreel: Stream",
        "Documents and labels of the stream, drift, dead letters, and the replay buffer.",
        [
            ("Documents and labels", _documents()),
            ("Drift", _drift()),
            ("Late labels", _late_labels()),
            ("Text", _text()),
            ("Replay", _replay()),
        ],
    )
