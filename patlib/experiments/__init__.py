"""What is run to answer a question: the studies, in which order their runs are made, and what came of them.

Everything here knows configurations and records; nothing knows how a network is trained."""
