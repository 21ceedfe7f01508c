"""The board of what comes: labels, text, records that can't be used, and what is kept of it."""

from boards import board
from boards.board import Row
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
from boards.promql import CONSUMER, PRODUCER, TOLD, per_second


def _what_comes() -> list[Row]:
    labels = number(
        "Labels",
        "Labels discovered in the stream so far.",
        query(f"max(newsreel_labels{CONSUMER})", "labels"),
        unit="short",
    )
    documents = number(
        "Documents",
        "Documents predicted since the stream began, labelled or not.",
        query(f"sum(newsreel_documents_total{CONSUMER})", "documents"),
        unit="short",
    )
    unlabelled = number(
        "Unlabelled",
        "Share of documents without a label, which are predicted and not learned.",
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
        "Records since the stream began that could not be used or learned.",
        query(f"sum(newsreel_dead_letters_total{CONSUMER})", "dead letters"),
        unit="short",
        noValue="none",
        **steps(GREEN, (1, RED)),
    )
    mix = graph(
        "Mix of labels",
        "Share of each label among the last 1000 documents. Bands that come and go mean that the"
        " stream is not shuffled: then look for forgetting on the board Learning.",
        query(f"max by (label) (newsreel_prequential_label_share{CONSUMER})", "{{label}}"),
        custom={**STACKED, "lineWidth": 0},
        **SHARE,
    )
    counts = bars(
        "Documents by label",
        "Since the stream began, the most frequent twenty-five labels.",
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


def _text() -> list[Row]:
    tokens = graph(
        "Tokens per second",
        "Tokens that the encoder reads; of long texts only the first.",
        query(per_second("newsreel_tokens_total"), "tokens"),
        unit="suffix:/s",
        min=0,
    )
    length = graph(
        "Tokens of a document",
        "Mean over five minutes, of what the encoder reads. A change of it is a change of the"
        " stream.",
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
        "Since the stream began. They are in the dead-letter topic, with the details in their"
        " headers.",
        latest(f"sum by (reason) (newsreel_dead_letters_total{CONSUMER})", "{{reason}}"),
        unit="short",
        min=0,
        noValue="none",
        **steps(GREEN, (1, RED)),
    )
    return [(8, [(6, tokens), (6, length), (6, published), (6, letters)])]


def _replay() -> list[Row]:
    fill = graph(
        "Buffer",
        "Documents kept for replay, and how many there can be.",
        query(f"max(newsreel_replay_buffer_documents{CONSUMER})", "kept"),
        query(f"max(newsreel_replay_buffer_capacity{CONSUMER})", "at most"),
        unit="short",
        min=0,
    )
    age = graph(
        "Age",
        "How many documents ago those in the buffer were learned, on the mean. It grows with the"
        " stream: the buffer reaches back to its beginning.",
        query(f"max(newsreel_replay_buffer_age_documents{CONSUMER})", "documents ago"),
        unit="short",
        min=0,
    )
    balance = graph(
        "Balance",
        "Entropy of the labels in the buffer, as a share of its most: at 1, all labels are kept"
        " alike.",
        query(f"max(newsreel_replay_buffer_balance{CONSUMER})", "balance"),
        min=0,
        max=1,
        decimals=2,
    )
    ratio = graph(
        "Replayed for each new one",
        "In the last learning step. It falls when the consumer is to catch up (--target-lag).",
        query(f"max(newsreel_replay_ratio{CONSUMER})", "replayed"),
        min=0,
        decimals=2,
    )
    return [(8, [(6, fill), (6, age), (6, balance), (6, ratio)])]


def _drift() -> list[Row]:
    distance = graph(
        "Distance of the texts",
        "Squared distance of the last 200 texts from those after the last change, in what chance"
        " makes of it: about 1 in a stream that stays as it is, a drift above 2.5. It needs no"
        " labels.",
        query(f"max(newsreel_input_distance{CONSUMER})", "distance"),
        unit="short",
        decimals=1,
        min=0,
        custom={"thresholdsStyle": {"mode": "line"}},
        **steps(GREEN, (2.5, RED)),
    )
    noticed = graph(
        "Noticed after",
        "Documents of the stream at its last simulated change, as the producer's truth tells, and"
        " at the last drift that was noticed of the error or of the texts: the way between them is"
        " the detector's delay.",
        query(f'max(newsreel_producer_change_documents{{job="$producer", {TOLD}}})', "changed"),
        query(f"max by (detector) (newsreel_drift_documents{CONSUMER})", "noticed: {{detector}}"),
        unit="short",
        min=0,
    )
    drifts = graph(
        "Drifts",
        "Changes noticed since the stream began.",
        query(f"sum by (detector) (newsreel_drifts_total{CONSUMER})", "{{detector}}"),
        query(f"sum(newsreel_forgotten_labels_total{CONSUMER})", "labels learned anew"),
        unit="short",
        min=0,
    )
    changes = bars(
        "Simulated changes",
        "What the producer changed in its stream (--scenario), as its topic of truth tells.",
        latest(
            f"sum by (scenario, what) (newsreel_producer_changes_total{PRODUCER})",
            "{{scenario}}: {{what}}",
        ),
        unit="short",
        min=0,
        noValue="none",
    )
    return [(8, [(6, distance), (6, noticed), (6, drifts), (6, changes)])]


def _late_labels() -> list[Row]:
    waiting = graph(
        "Waiting for labels",
        "Documents that were predicted and wait for their labels (--late-labels), and labels that"
        " wait in their topic to be read.",
        query(f"max(newsreel_pending_documents{CONSUMER})", "documents"),
        query(f"max(newsreel_label_lag_records{CONSUMER})", "labels to be read"),
        unit="short",
        min=0,
    )
    delay = graph(
        "Delay of labels",
        "From the time of a document's record to that of its label's; median and 99th percentile.",
        *spread("newsreel_label_delay_seconds"),
        unit="s",
        min=0,
        noValue="no label came later",
    )
    fates = bars(
        "Late labels",
        "What became of labels that came by themselves, and documents whose labels never came"
        " (expired).",
        latest(f"sum by (fate) (newsreel_late_labels_total{CONSUMER})", "{{fate}}"),
        unit="short",
        min=0,
    )
    accuracies = graph(
        "Accuracy at arrival, and later",
        "Of the last 1000 labelled documents: as predicted when they came, and as they would have"
        " been just before they were learned.",
        query(
            'max(newsreel_prequential_accuracy{job="$consumer", window="last_1000"})',
            "at arrival",
        ),
        query(f"max(newsreel_repredicted_accuracy{CONSUMER})", "before learning"),
        noValue="no label came later",
        **SHARE,
    )
    return [(8, [(6, accuracies), (6, waiting), (6, delay), (6, fates)])]


def build() -> Json:
    """Build the board."""
    return board.build(
        "stream",
        "newsreel: Stream",
        "What the stream is made of, what of it can't be used, and what is kept for replay.",
        [
            ("What comes", _what_comes()),
            ("Drift", _drift()),
            ("Labels that come later", _late_labels()),
            ("Text", _text()),
            ("Replay", _replay()),
        ],
    )
