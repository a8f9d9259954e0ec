"""langchain-tests' suite for chat models, with LangChain's client for OpenAI; `GWAPI=responses` for the other API."""

import os

from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


class TestGateway(ChatModelIntegrationTests):
    @property
    def chat_model_class(self):
        return ChatOpenAI

    @property
    def chat_model_params(self):
        return {
            "model": os.environ["GWMODEL"],
            "base_url": os.environ["GW"] + "/v1",
            "api_key": os.environ["GWKEY"],
            "stream_usage": True,
            "use_responses_api": os.environ.get("GWAPI") == "responses",
        }
