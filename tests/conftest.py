"""What holds for all tests."""

import signal

# A shell starts what runs in its background with interrupts ignored; so would be what tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
