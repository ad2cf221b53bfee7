"""Calls about one structure, one after another, until there is a label or further calls would be useless.

Calls run on any `concurrent.futures.Executor`. Whatever its futures raise is a failure of the call: a dead worker,
a lost node, a late answer. Only an executor that accepts no more calls ends a run.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import nullcontext
from dataclasses import dataclass

from thalweg.errors import OracleError, SetupError, ThalwegError
from thalweg.interrupts import held
from thalweg.label import Failure, FailureKind, Label, Outcome
from thalweg.labelling.call import Call, deliver
from thalweg.labelling.deadlines import Deadlines
from thalweg.labelling.executors.process import WorkerDied
from thalweg.labelling.inbox import Inbox, Ticket
from thalweg.labelling.scratch import Scratch
from thalweg.labelling.source import OracleSource
from thalweg.oracles.excerpt import excerpt
from thalweg.oracles.failing import words
from thalweg.structure import Structure

ATTEMPTS = 3
"""Calls for a structure before it is set aside: the first and two more."""

Delivery = tuple[Ticket, Outcome]
"""What a task gives back."""
Arrived = Callable[[Ticket, Outcome], None]
"""Takes every outcome as it arrives, in whatever thread that is, and makes it durable."""


def worth_another(failure: Failure, attempt: int, *, rungs: int, attempts: int = ATTEMPTS) -> bool:
    """Whether to call once more after `failure` at `attempt` (0 first) of an oracle with `rungs` different settings.

    With the same settings an SCF does not converge at the second try either; a crash may have been the machine's.
    """
    if attempt + 1 >= attempts or failure.kind is FailureKind.REFUSED:
        return False
    return attempt + 1 < rungs or failure.kind is not FailureKind.UNCONVERGED


@dataclass(frozen=True)
class Climb:
    """What is asked for: a structure, the question it belongs to, the failures before, and the calls allowed in all."""

    question_id: int
    structure: Structure
    before: tuple[Failure, ...] = ()
    allowed: int = ATTEMPTS


class Ladder:
    """Makes the calls.

    Parameters
    ----------
    source : OracleSource
    executor : concurrent.futures.Executor
    arrived : Arrived
    inbox : Inbox
        Where workers on this machine leave outcomes.
    scratch : Scratch
        Of calls on this machine.
    time_limit : float or None, s
        Of executors that keep none of their own.
    shut_down : bool
        Whether `close` shuts the executor down; one that was handed in is its owner's.
    """

    def __init__(
        self,
        source: OracleSource,
        executor: Executor,
        arrived: Arrived,
        *,
        inbox: Inbox,
        scratch: Scratch,
        time_limit: float | None = None,
        shut_down: bool = True,
    ) -> None:
        self._shut_down = shut_down
        self.source, self.executor, self.arrived = source, executor, arrived
        self.oracle = source.oracle()
        self.inbox, self.scratch = inbox, scratch
        self._closed = False
        self._local = bool(getattr(executor, "runs_here", False))
        self._keeps = bool(getattr(executor, "keeps_outcomes", False))
        limited = time_limit is not None and not self._local
        self._tasks: set[Future[Delivery]] = set()
        self._deadlines = Deadlines(time_limit) if limited and time_limit is not None else None

    def climb(self, wanted: Climb) -> Future[tuple[Outcome, ...]]:
        """Start; the future holds every outcome since `wanted.before`, the last of which decides."""
        future: Future[tuple[Outcome, ...]] = Future()
        future.set_running_or_notify_cancel()
        self._attempt(wanted, (), future)
        return future

    def worth_another(self, failures: tuple[Failure, ...]) -> bool:
        """Whether these failures leave another call worth making."""
        return not failures or worth_another(failures[-1], len(failures) - 1, rungs=self.oracle.rungs)

    def close(self) -> None:
        """Take no more; what still runs is given up.

        An executor on this machine ends soon, and interruptions wait for it; any other may be interrupted once more.
        """
        self._closed = True
        if self._deadlines is not None:
            self._deadlines.close()
        try:
            with held() if self._local else nullcontext():
                self._shut_executor_down()
        finally:
            self.scratch.clear()

    def _shut_executor_down(self) -> None:
        if self._shut_down:
            self.executor.shutdown(wait=True, cancel_futures=True)
        else:
            for task in list(self._tasks):
                task.cancel()

    def _attempt(
        self, wanted: Climb, since: tuple[Outcome, ...], future: Future[tuple[Outcome, ...]]
    ) -> None:
        ticket = Ticket(wanted.question_id, wanted.structure.content_hash, len(wanted.before) + len(since))
        call = self._call(ticket, wanted.structure)
        delivered: list[Future[Delivery]] = []

        def answered(task: Future[Delivery]) -> None:
            delivered.append(task)  # an executor may deliver more than once
            if len(delivered) > 1:
                return
            try:
                outcome = self._outcome(task, call)
                self._put_away(call, outcome)
                self.arrived(ticket, outcome)
                outcomes = (*since, outcome)
                if self._is_last(wanted, outcomes):
                    future.set_result(outcomes)
                else:
                    self._attempt(wanted, outcomes, future)
            except BaseException as error:
                future.set_exception(error)

        with held() if self._local else nullcontext():  # an answer that is there is made durable
            task = self._submit(call)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(answered)

    def _is_last(self, wanted: Climb, outcomes: tuple[Outcome, ...]) -> bool:
        last = outcomes[-1]
        if isinstance(last, Label):
            return True
        made = len(wanted.before) + len(outcomes)
        return made >= wanted.allowed or not worth_another(last, made - 1, rungs=self.oracle.rungs)

    def _call(self, ticket: Ticket, structure: Structure) -> Call:
        if not self._local:
            return Call(self.source, structure, ticket)
        folder = self.scratch.fresh()
        if not self._keeps:
            return Call(self.source, structure, ticket, folder)
        return Call(self.source.reference(), structure, ticket, folder, self.inbox.folder)

    def _submit(self, call: Call) -> Future[Delivery]:
        try:
            task = self.executor.submit(deliver, call)
        except ThalwegError:
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, too: an executor's end is no certificate
            raise SetupError(
                f"the executor accepts no more calls ({words(error)}); every answer is saved; start "
                "the executor again and repeat the command"
            ) from error
        if not isinstance(task, Future):
            raise SetupError(
                f"the executor's submit returned {type(task).__name__}, expected a concurrent.futures.Future; "
                "`thalweg.testing.executors.ExecutorContract` holds an executor to what is expected of it"
            )
        return task if self._deadlines is None else self._deadlines.watch(task)

    def _outcome(self, task: Future[Delivery], call: Call) -> Outcome:
        """The task's outcome. A worker that was ended may have left its answer in the inbox before."""
        error = InterruptedError("the call was cancelled") if task.cancelled() else task.exception()
        if error is None:
            return self._delivered(task.result(), call)
        if isinstance(error, SetupError):
            raise error
        if self._closed:
            raise CutOffError from error
        left = self.inbox.get(call.ticket)
        return self._ended(error, call) if left is None else left

    def _delivered(self, given: object, call: Call) -> Outcome:
        """What the executor gave back, if that is the outcome of this very call."""
        why = f"the executor gave back {type(given).__name__}, expected the outcome of the call"
        match given:
            case (Ticket() as ticket, Label() | Failure() as outcome):
                if ticket == call.ticket:
                    return outcome
                why = f"the executor gave back the answer of another call ({ticket.name})"
        return Failure(FailureKind.CRASHED, why, oracle=self.oracle.fingerprint)

    def _ended(self, error: BaseException, call: Call) -> Failure:
        """What became of a call that its executor ended; its log is what the call has left behind."""
        kind = FailureKind.TIMED_OUT if isinstance(error, TimeoutError) else FailureKind.CRASHED
        plain = isinstance(error, TimeoutError | WorkerDied)
        left = [excerpt(call.folder)] if call.folder is not None else []
        log = "\n".join([*left, error.log if isinstance(error, WorkerDied) else ""]).strip()
        return Failure(kind, str(error) if plain else words(error), log, self.oracle.fingerprint)

    def _put_away(self, call: Call, outcome: Outcome) -> None:
        if call.folder is not None:
            ticket = call.ticket
            failed = (
                "" if isinstance(outcome, Label) else f"question{ticket.question_id}-attempt{ticket.attempt}"
            )
            self.scratch.release(call.folder, failed=failed)


class CutOffError(OracleError):
    """A call was ended because the run is: it has no outcome."""

    def __init__(self) -> None:
        super().__init__("the call of the oracle was cut off: the run is stopping")
