"""A task for Inspect: one question, whose answer must hold a word."""

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate


@task
def check():
    return Task(dataset=[Sample(input="hi", target="mock")], solver=generate(), scorer=includes())
