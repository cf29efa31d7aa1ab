"""The list of all checks, in the order in which they run.

`GRAPH_CHECKS` look at the chosen targets, and every command that reads the graph runs them: what they
find can never work. `BUILD_CHECKS` look at what a build would run and write now. A build ends with
their errors before anything starts, packages included. `evalmake -n` shows the plan, then the same
errors, and its exit status is 2, because a build of this plan fails at once.

Only an unset secret and an unpinned data set of the hub are no errors of `-n` but notes: you can look at a plan
without having the keys, and without a network.
"""

from __future__ import annotations

from collections.abc import Callable

from evalmake.language.diagnostic import Diagnostic, Diagnostics
from evalmake.preflight.cells import check_benchmarks_together, check_cells
from evalmake.preflight.context import BuildContext, GraphContext
from evalmake.preflight.data_files import check_data_files
from evalmake.preflight.deployments import check_server_programs, check_weights
from evalmake.preflight.detach import check_detached_jobs
from evalmake.preflight.endpoints import check_certificates, check_loopback_endpoints, check_server_reach
from evalmake.preflight.executor_use import check_executor_use, check_judges_of_executors
from evalmake.preflight.gpus import check_gpus
from evalmake.preflight.host_files import check_host_files
from evalmake.preflight.hub_datasets import check_hub_datasets
from evalmake.preflight.images import check_evaluation_images, check_server_images
from evalmake.preflight.interceptors import check_interceptors
from evalmake.preflight.judges import note_needless_judges
from evalmake.preflight.parameter_names import check_parameter_names, note_unknown_parameters
from evalmake.preflight.parameter_values import check_parameter_values
from evalmake.preflight.pins import check_locked_inputs
from evalmake.preflight.plugins import check_harness_programs, check_listed_tasks, check_plugins
from evalmake.preflight.ports import check_ports
from evalmake.preflight.repeats import check_repeats
from evalmake.preflight.reports import (
    check_report_baselines,
    check_report_columns,
    check_report_formats,
    check_report_paths,
    check_report_sections,
    check_signing_keys,
)
from evalmake.preflight.secrets import check_secrets
from evalmake.preflight.servers import check_servers
from evalmake.preflight.stop_rules import check_stop_rules
from evalmake.preflight.system_messages import check_system_messages, note_replaced_system_messages

GRAPH_CHECKS: tuple[Callable[[GraphContext, Diagnostics], None], ...] = (
    check_report_paths,  # no report overwrites an input or another report
    check_report_baselines,  # a report compares with one of its rows
    check_report_columns,  # and takes together columns that it has
    check_report_sections,  # and puts titles over columns or rows that it has
    check_locked_inputs,  # under --locked, all inputs are pinned
    check_evaluation_images,  # the executor of an evaluation runs its image
    check_server_images,  # the executor of a deployment runs its image
    check_host_files,  # jobs on a cluster need no packages or weights of this host
    check_executor_use,  # the executor's settings suffice, as its plugin says
    check_judges_of_executors,  # what grades is no matter of where it runs
    check_servers,  # the deployment's settings fit its engine, its port and its nodes
    check_ports,  # no two servers have the same port
    check_loopback_endpoints,  # no job elsewhere calls `localhost`
    check_server_reach,  # jobs with their own gateway reach the servers they use
    check_benchmarks_together,  # what a requirement takes together is alike
    check_cells,  # the benchmark fits the model, parameters and gates, as its harness says
    check_stop_rules,  # what stops early can
    check_repeats,  # what takes several samples of an item can
    check_parameter_names,  # no request parameter is misspelt
    check_parameter_values,  # common request parameters have values that the API has
    check_system_messages,  # no benchmark replaces a system message of its own
    check_interceptors,  # interceptors exist and accept their settings
)

BUILD_CHECKS: tuple[Callable[[BuildContext, Diagnostics], None], ...] = (
    check_detached_jobs,  # under --detach, jobs need no evalmake
    check_report_formats,  # each report's format can be written
    check_signing_keys,  # what signs reports are keys
    check_plugins,  # harnesses, engines and executors work in this installation
    check_harness_programs,  # the programs of harnesses are installed
    check_listed_tasks,  # and have the tasks, where that is known
    check_server_programs,  # the programs of engines are installed
    check_weights,  # weights on this host exist
    check_certificates,  # certificates of endpoints can be read
    check_hub_datasets,  # data sets of the hub are pinned
    check_data_files,  # local data files can be read, and fit the prompt, as their harness says
    note_unknown_parameters,  # request parameters that evalmake does not know are told
    note_replaced_system_messages,  # a system message that an adapter replaces is told
    note_needless_judges,  # a judge that nothing asks is told
    check_gpus,  # no evaluation needs more GPUs than there are
    check_secrets,  # every secret has a value
)

NOTES_OF_DRY_RUN = frozenset({check_secrets, check_hub_datasets})
"""What `-n` tells in a note instead."""


def check_graph(context: GraphContext) -> None:
    """Raise EvalmakeError with all that is wrong with a graph."""
    found = Diagnostics()
    for check in GRAPH_CHECKS:
        check(context, found)
    found.check()


def check_build(context: BuildContext, dry_run: bool = False) -> list[Diagnostic]:
    """All errors that a build would end with before it starts, and warnings, in the order of the Evalfile."""
    found = Diagnostics()
    for check in BUILD_CHECKS:
        if not (dry_run and check in NOTES_OF_DRY_RUN):
            check(context, found)
    return found.sorted()
