"""Writes chat.json: the text that `transformers` makes of conversations with chat templates.

    pip install torch==2.15.0 transformers==5.23.0 jinja2==3.1.6
    python make_chat.py > chat.json

The templates are written for this file. Each has the shape and the features of one published family
(ChatML with tools, thinking, Llama 3 headers with a date, [INST], turns with another role name).
"""

import datetime
import json

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

TEMPLATES = {
    "chatml": r"""{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are helpful.' }}
    {%- endif %}
    {{- "\n\n# Tools\n<tools>" }}
    {%- for tool in tools %}
        {{- "\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\n</tools><|im_end|>\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>system\nYou are helpful.<|im_end|>\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}
            {{- '\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\n<tool_call>\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\n<tool_response>\n' }}
        {{- message.content }}
        {{- '\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
""",
    "thinking": r"""{%- set ns = namespace(multi_step=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or (not loop.last and reasoning)) %}
            {{- '<|im_start|>' + message.role + '\n<think>\n' + reasoning.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\n' + content }}
        {%- endif %}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\n' + content }}
    {%- endif %}
    {{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}""",
    "headers": r"""{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{#- The system's message is taken out of the list. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{{- "Today Date: " + date_string + "\n\n" }}
{%- if tools is not none %}
    {{- "You may call:\n\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\n\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\n\n{"name": "' + tool_call.name + '", "parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}<|eot_id|>" }}
    {%- else %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\n\n" }}
        {%- if message.content is mapping or message.content is iterable and message.content is not string %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
""",
    "inst": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- for message in loop_messages | rejectattr("role", "equalto", "tool") %}
    {%- if (message["role"] == "user") != (loop.index0 % 2 == 0) %}
        {{- raise_exception("After the optional system message, conversation roles must alternate user/assistant") }}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- endif %}
{%- endfor %}
""",
    "turns": r"""{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '
' + message['content'] | trim + '<end_of_turn>
' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model
'}}{% endif %}""",
    "features": r"""{# trimmed and stripped blocks, loop controls, macros, Python's strings and values #}
{% macro part(item) %}
{{ item.text if item is mapping else item }}|
{%- endmacro %}
{% for message in messages %}
  {% if message.skip %}
    {% continue %}
  {% endif %}
  {% if loop.index > 4 %}{% break %}{% endif %}
  {% generation %}
  {{ loop.index }}/{{ loop.length }} {{ message.role.upper() }} {{ message.role.title() }} {{ loop.previtem.role if loop.previtem is defined else 'first' }}
  {%- endgeneration %}
  {% if message.content is string %}
 [{{ message.content.replace('a', 'A').strip() }}] {{ message.content.split()|length }} {{ message.content[:3] }} {{ message.content | upper }}
  {% else %}
    {% for item in message.content %}{{ part(item) }}{% endfor +%}
  {% endif %}
  {% for key, value in message.items() %}{{ key }}={{ value }};{% endfor %}

{% endfor %}
{{ messages|map(attribute='role')|join(', ') }} {{ messages|selectattr('skip', 'defined')|list|length }}
{{ {'b': [1, 2.5, true, none], 'a': {'x': 'é<&>"\''}}|tojson }}
{{ {'b': [1, 1e16, 1e-05], 'a': {}, 'c': []}|tojson(indent=2) }} {{ {'b': 1, 'a': 2}|tojson(sort_keys=true) }}
{{ undefined_thing }}{{ true }} {{ none }} {{ [1, 'two', 3.0] }} {{ 7 // 2 }} {{ 7 / 2 }} {{ 2 ** 3 }} {{ 'x' * 3 }} {{ 'a' ~ 1 }} {{ eos_token }}
{{ messages[0].get('name', 'nobody') }} {{ messages[-1]['role'] }} {{ 'er' in messages[0].role }} {{ not messages }} {{ messages[0].content is none }}
{{ range(2, 7, 2)|list }} {{ namespace(a=1).a }} {{ dict(a=1, b='x') }} {{ 'abc'|first }}{{ 'abc'|last }} {{ ' pad '|trim }} {{ [3, 1, 2]|sort|join }} {{ "%s" | format("f") }}
""",
}

USER = {"role": "user", "content": "What is 2+2?"}
SYSTEM = {"role": "system", "content": "  Be <brief> & kind.  "}
ANSWER = {"role": "assistant", "content": " It is 4. "}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The <weather> in \"a\" city: 20° & more",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "strict": True, "limit": 1.0},
    },
}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Köln", "days": 2}}}]}
RESULT = {"role": "tool", "content": "rain"}
TALK = [SYSTEM, USER, ANSWER, {"role": "user", "content": "And\n 3+3? "}]
THOUGHT = {"role": "assistant", "content": "<think>\nWell.\n</think>\n\nFour."}

CASES = [
    ("chatml", [USER], {}),
    ("chatml", TALK, {}),
    ("chatml", TALK[:3], {"add_generation_prompt": False}),
    ("chatml", [SYSTEM, USER, CALL, RESULT, RESULT, ANSWER], {"tools": [WEATHER]}),
    ("chatml", [USER, CALL, RESULT], {"tools": [WEATHER, WEATHER]}),
    ("thinking", [USER], {}),
    ("thinking", [USER], {"enable_thinking": False}),
    ("thinking", [USER], {"enable_thinking": True}),
    ("thinking", [USER, THOUGHT, USER, THOUGHT], {}),
    ("thinking", [USER, THOUGHT, USER], {"add_generation_prompt": False}),
    ("thinking", [USER, {"role": "assistant", "content": "Four.", "reasoning_content": "Easy."}], {}),
    ("headers", [USER], {}),
    ("headers", TALK, {}),
    ("headers", [USER], {"date_string": "1 Jan 2030"}),
    ("headers", [SYSTEM, USER, CALL, RESULT], {"tools": [WEATHER]}),
    ("headers", [USER, CALL, {"role": "tool", "content": {"temperature": 20.5, "sky": "grey"}}], {"tools": [WEATHER]}),
    ("headers", [USER, {**CALL, "tool_calls": CALL["tool_calls"] * 2}], {}),
    ("inst", TALK, {}),
    ("inst", [USER], {}),
    ("inst", [USER, USER], {}),
    ("turns", [USER, ANSWER, USER], {}),
    ("turns", [USER, ANSWER], {"add_generation_prompt": False}),
    ("turns", [SYSTEM, USER], {}),
    ("turns", [ANSWER], {}),
    ("features", [USER, {**ANSWER, "skip": True}, {"role": "user", "name": "Ann", "content": [{"type": "text", "text": "one"}, "two"]}, SYSTEM, USER, USER], {}),
]


class Then(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 7, 14, 5, 9)


def main():
    chat_template_utils.datetime = Then
    inner = Tokenizer(models.WordLevel({"<unk>": 0, "<s>": 1, "</s>": 2}, unk_token="<unk>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    cases = []
    for template, messages, options in CASES:
        # Texts, so that the order of the fields survives every JSON reader.
        case = {"template": template, "messages": json.dumps(messages, ensure_ascii=False)}
        variables = dict(options)
        tools = variables.pop("tools", None)
        case["tools"] = tools and json.dumps(tools, ensure_ascii=False)
        case["add_generation_prompt"] = variables.pop("add_generation_prompt", True)
        case["variables"] = variables
        try:
            case["text"] = tokenizer.apply_chat_template(
                messages, chat_template=TEMPLATES[template], tools=tools, tokenize=False,
                add_generation_prompt=case["add_generation_prompt"], **variables)
        except Exception as error:
            assert type(error).__name__ == "TemplateError", error
            case["refused"] = str(error)
        cases.append(case)
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    golden = {"now": "2026-03-07T14:05:09", "special": special, "templates": TEMPLATES, "cases": cases}
    print(json.dumps(golden, ensure_ascii=False, indent=1))


main()
