"""langchain-tests' suite for chat models, with LangChain's client for Anthropic."""

import os

from langchain_anthropic import ChatAnthropic
from langchain_tests.integration_tests import ChatModelIntegrationTests


class TestGateway(ChatModelIntegrationTests):
    @property
    def chat_model_class(self):
        return ChatAnthropic

    @property
    def chat_model_params(self):
        return {"model": os.environ["GWMODEL"], "base_url": os.environ["GW"], "api_key": os.environ["GWKEY"]}
