/**
 * Ends a program with everything that it started.
 *
 * @module
 */

/** How long processes may take to end by SIGTERM. */
const GRACE_MS = 2_000;

/** How long the kernel may take over SIGKILL before we go on without. */
const KILL_MS = 5_000;

/** Longest pause between two looks. */
const PAUSE_MAX_MS = 100;

/**
 * Ends every process of `session`: with SIGTERM, and after two seconds with
 * SIGKILL. Looks at the session and not the process group, because a shell
 * with job control gives each job a group of its own.
 *
 * @param session process id of the session's leader
 * @returns how many processes were found at first
 */
export async function endSession(session: number): Promise<number> {
  const first = await processesOf(session);
  signalAll(first, "SIGTERM");
  const started = performance.now();
  let pause = 2;
  let running = first;
  while (running.length > 0) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, PAUSE_MAX_MS);
    running = await processesOf(session);
    const elapsed = performance.now() - started;
    if (elapsed > GRACE_MS + KILL_MS) break;
    // Again and again, for one of them may be forking.
    if (elapsed > GRACE_MS) signalAll(running, "SIGKILL");
  }
  return first.length;
}

function signalAll(pids: readonly number[], signal: Deno.Signal): void {
  for (const pid of pids) {
    try {
      Deno.kill(pid, signal);
    } catch {
      // It ended by itself, or belongs to another user by way of sudo.
    }
  }
}

/** The living processes of `session`; dead ones not yet collected don't count. */
async function processesOf(session: number): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    // The program's name, in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, , , sid] = fields;
    if (Number(sid) === session && state !== "Z" && state !== "X") {
      found.push(Number(name));
    }
  }
  return found;
}
