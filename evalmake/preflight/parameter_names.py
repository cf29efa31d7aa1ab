"""Checks the names of request parameters: a misspelt one is sent, and most servers ignore it without a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evalmake.language.diagnostic import Diagnostics, Severity, closest_name, edit_distance, make_diagnostic
from evalmake.planner.graph import Node
from evalmake.preflight.context import BuildContext, GraphContext, distinct_cells
from evalmake.project.request_parameters import DeclaredParameter, list_sent_parameters

_OF_THE_API = """
    audio best_of echo frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens
    messages metadata modalities model n parallel_tool_calls prediction presence_penalty prompt prompt_cache_key
    reasoning_effort response_format safety_identifier seed service_tier stop store stream stream_options suffix
    temperature tool_choice tools top_logprobs top_p user verbosity web_search_options
"""
_OF_SERVERS = """
    add_generation_prompt add_special_tokens allowed_token_ids bad_words cache_prompt chat_template chat_template_kwargs
    continue_final_message custom_logit_processor do_sample documents dynatemp_range ebnf enable_thinking guided_choice
    guided_decoding_backend guided_grammar guided_json guided_regex ignore_eos include_reasoning
    include_stop_str_in_output json_schema keep_alive length_penalty lora_path max_gen_toks max_new_tokens
    min_new_tokens min_p min_tokens mirostat mirostat_eta mirostat_tau mm_processor_kwargs models no_stop_trim nvext
    num_ctx num_predict options plugins preset priority prompt_logprobs provider random_seed reasoning regex
    repeat_penalty repetition_penalty return_token_ids return_tokens_as_token_ids route safe_prompt separate_reasoning
    skip_special_tokens spaces_between_special_tokens stop_token_ids structural_tag structured_outputs system thinking
    thinking_budget top_a top_k top_n_tokens transforms truncate_prompt_tokens typical_p until use_beam_search
    vllm_xargs watermark xtc_probability xtc_threshold
"""
KNOWN = frozenset((_OF_THE_API + _OF_SERVERS).split())
"""The parameters of the OpenAI API, and those that common servers and harnesses add to it."""
_SHORT = 5  # letters: names below are so near to each other that nearness tells nothing


def check_parameter_names(context: GraphContext, diagnostics: Diagnostics) -> None:
    """One edit from a known name is a misspelling. `adapter.params` sends any name."""
    for node, parameter in _list_unknown(context.graph.nodes.values()):
        near = [name for name in KNOWN if edit_distance(parameter.name, name, 1) <= 1]
        if len(parameter.name) >= _SHORT and len(near) == 1:
            escape = f"a server's own parameter of this name: `adapter = {{ params = {{ {parameter.name} = ... }} }}`"
            diagnostics.error(
                "bad-value",
                f"`params`: there is no request parameter `{parameter.name}`",
                parameter.span or node.evaluation.span,
                about=parameter.owner,
                help=[f"did you mean `{near[0]}`?", escape],
            )


def note_unknown_parameters(context: BuildContext, diagnostics: Diagnostics) -> None:
    """Servers have parameters of their own, so any other unknown name is sent, and told."""
    for node, parameter in _list_unknown(context.nodes):
        meant = closest_name(parameter.name, KNOWN)
        diagnostics.append(
            make_diagnostic(
                "unknown-parameter",
                f"`params`: evalmake does not know the request parameter `{parameter.name}`, and sends it as it is",
                parameter.span or node.evaluation.span,
                about=parameter.owner,
                severity=Severity.WARNING,
                help=[f"did you mean `{meant}`?"] if meant else [],
            )
        )


def _list_unknown(nodes: Iterable[Node]) -> Iterator[tuple[Node, DeclaredParameter]]:
    """The parameters of `params` whose names are unknown; what an adapter adds is meant for its server."""
    for node in distinct_cells(nodes):
        for sent in list_sent_parameters(node.evaluation):
            if sent.winner.key == "params" and sent.name not in KNOWN and sent.winner.name not in KNOWN:
                yield node, sent.winner
