"""Drives `tollgate mock-provider` with the vendors' own SDKs; fails on the first thing that they cannot read."""

import sys

import anthropic
import openai

PROMPT = """<passage id="docs/shipping.md#norway" heading="Shipping">
We deliver to Norway in two working days. A parcel costs 49 kr.
</passage>
<question>In how many working days do you deliver to Norway?</question>"""
TOOL = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}


def with_openai(url: str) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)
    messages = [{"role": "user", "content": PROMPT}]
    whole = client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    assert "two working days" in whole.choices[0].message.content, whole
    assert whole.usage.prompt_tokens > 0 and whole.usage.completion_tokens > 0, whole

    parts = list(client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True, stream_options={"include_usage": True}))
    text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    assert "two working days" in text and parts[-1].usage.completion_tokens > 0, parts

    tools = [{"type": "function", "function": {"name": "find_order", "parameters": TOOL}}]
    called = client.chat.completions.create(
        model="gpt-4o", messages=messages, tools=tools, tool_choice={"type": "function", "function": {"name": "find_order"}})
    assert called.choices[0].message.tool_calls[0].function.name == "find_order", called

    vectors = client.embeddings.create(model="text-embedding-3-small", input=["delivery to Norway", "parcels"])
    assert len(vectors.data) == 2 and len(vectors.data[0].embedding) == len(vectors.data[1].embedding), vectors
    assert client.models.list().data, "no models"
    print("openai SDK: chat, stream, tools, embeddings, models")


def with_anthropic(url: str) -> None:
    client = anthropic.Anthropic(base_url=url, api_key="any", max_retries=0)
    messages = [{"role": "user", "content": PROMPT}]
    whole = client.messages.create(model="claude-haiku-4-5", max_tokens=200, messages=messages)
    assert "two working days" in whole.content[0].text and whole.usage.output_tokens > 0, whole

    with client.messages.stream(model="claude-haiku-4-5", max_tokens=200, messages=messages) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert "two working days" in text and final.stop_reason == "end_turn" and final.usage.output_tokens > 0, final

    tools = [{"name": "find_order", "description": "finds an order", "input_schema": TOOL}]
    called = client.messages.create(
        model="claude-sonnet-4-5", max_tokens=200, messages=messages, tools=tools,
        tool_choice={"type": "tool", "name": "find_order"})
    assert isinstance(called.content[0].input["number"], int), called
    print("anthropic SDK: messages, stream, tools")


if __name__ == "__main__":
    with_openai(sys.argv[1])
    with_anthropic(sys.argv[1])
