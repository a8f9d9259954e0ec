"""The application layer: assistants, chats, citations and feedback, and the web application's API."""
