"""Where work is run: in a warm pool of processes here, or on a Dask cluster. It knows nothing of what is computed.

The side that hands out work::

    with open_pool(Compute(), jobs=len(folds), on_event=show) as pool:
        for fold, result in pool.each(partial(run_fold, job), folds):
            ...

The side that works, in a module of its own::

    @resident
    def warm(job: Job) -> Engine:  # made once per process and job, then kept
        ...


    def run_fold(job: Job, fold: Fold) -> Result:
        report(Begun(fold))
        return warm(job).fit(fold)

Functions, arguments, results and events are pickled, so functions are found by their module and name.
"""

from steps.compute.base import Pool, Task
from steps.compute.pool import check_reachable, open_pool, warm_up
from steps.compute.process import report, resident
from steps.compute.where import Compute

__all__ = ["Compute", "Pool", "Task", "check_reachable", "open_pool", "report", "resident", "warm_up"]
