"""Print what a language model would be told while a video is read: one hedged sentence a second.

What it does not show: the language model. Put the sentence into its system prompt, and leave it out
once it is stale.

    python examples/tell_a_language_model.py video.mp4
"""

import sys

from mimica import load
from mimica.reading.events import Seen
from mimica.reading.message import Message
from mimica.reading.reader import Reader


def main() -> None:
    """Read the video that the command line names, as if it were live."""
    message, next_second = Message(), 1.0
    for event in Reader(load()).read(sys.argv[1]):
        message.append(event)
        if isinstance(event, Seen) and event.frame.time >= next_second:
            print(f"{event.frame.time:5.1f} s  {message.sentence(event.frame.time)}")
            next_second += 1.0


if __name__ == "__main__":
    main()
