"""What every adapter and plugin must pass: test classes to subclass, and a mock vendor to call."""
