import assert from "node:assert/strict";
import { waitFor } from "../lab/wait.ts";
import { deliveryKit, withScript } from "./delivery_kit.ts";
import { mountTest } from "./mount_namespace.ts";
import { sealed } from "./sealing.ts";

/** The processes whose working directory is below `path`. */
async function processesIn(path: string): Promise<string> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    const cwd = await Deno.readLink(`/proc/${name}/cwd`).catch(() => "");
    if (cwd.startsWith(path)) found.push(name);
  }
  return found.join(" ");
}

mountTest("a delivery reports a script for what it was", async (t) => {
  const rows: {
    name: string;
    script: string;
    want: RegExp;
    limitMs?: number;
  }[] = [
    {
      name: "status 3",
      script: "#!/bin/sh\nexit 3\n",
      want: /^warn Payload script "autorun.sh" exited with status 3 after/,
    },
    {
      name: "without #!",
      script: "test -f autorun.sh && exit 4\n",
      want: /exited with status 4/,
    },
    { name: "empty", script: "", want: /^info .* exited with status 0/ },
    {
      name: "one that kills itself",
      script: "#!/bin/sh\nkill -KILL $$\n",
      want: /^warn .* was ended by signal SIGKILL/,
    },
    {
      name: "another interpreter",
      script: "#!/usr/bin/env python3\nimport sys\nsys.exit(6)\n",
      want: /exited with status 6/,
    },
    {
      name: "no interpreter",
      script: "#!/no/such/interpreter\n",
      want: /^warn .* could not be started: /,
    },
    {
      name: "one that never ends",
      script: "#!/bin/sh\nexec sleep 1000\n",
      limitMs: 300,
      want:
        /^warn .* exceeded its time limit of 0\.3 s \(option "payload_script_timeout"\)/,
    },
    {
      name: "one that forks",
      script: "#!/bin/sh\nsleep 1000 & sleep 1000 &\nexit 0\n",
      want: /^info .* exited with status 0/,
    },
    {
      name: "one that forks for ever",
      script: "#!/bin/sh\nwhile :; do sleep 1000 & sleep 0.01; done\n",
      limitMs: 300,
      want: /^warn .* exceeded its time limit/,
    },
  ];
  for (const { name, script, want, limitMs = 60_000 } of rows) {
    await t.step(name, async () => {
      await using kit = await deliveryKit({ scriptTimeLimitMs: limitMs });
      await kit.deliver(withScript(script));
      const outcome = kit.lines.findLast((line) =>
        line.includes('script "autorun.sh"')
      );
      assert.match(outcome ?? "", want);
      assert.doesNotMatch(await processesIn(kit.mount.path), /./);
    });
  }
});

mountTest(
  "a script that writes 1 GB leaves the log small",
  async () => {
    await using kit = await deliveryKit();
    await kit.deliver(
      withScript("#!/bin/sh\nyes | head -c 1000000000\nexit 9\n"),
    );
    assert.ok(kit.lines.length < 11_000);
    assert.ok(
      kit.lines.some((line) => line.includes("[further output dropped]")),
    );
    assert.match(kit.lines.at(-1) ?? "", /exited with status 9/);
  },
);

mountTest("a delivery ends the script of the one before it", async () => {
  await using kit = await deliveryKit();
  kit.delivery.enqueue(sealed(withScript("echo started; exec sleep 1000\n")));
  await waitFor(
    "the first script",
    () => kit.lines.some((line) => line.includes("started")),
  );
  await kit.deliver(withScript("echo second\n"));
  const ends = kit.lines.filter((line) =>
    /script "autorun\.sh" \w+ed /.test(line) || line.includes("was ended")
  );
  assert.match(
    ends[0] ?? "",
    /was ended by the agent, which stops or got another payload/,
  );
  assert.match(ends[1] ?? "", /exited with status 0/);
});

mountTest("disposal ends the script and forgets what waits", async () => {
  const kit = await deliveryKit();
  kit.delivery.enqueue(
    sealed(withScript("echo started; sleep 1000 & sleep 1000\n")),
  );
  await waitFor(
    "the script",
    () => kit.lines.some((line) => line.includes("started")),
  );
  await kit.delivery[Symbol.asyncDispose]();
  assert.match(kit.lines.at(-1) ?? "", /was ended by the agent, which stops/);
  assert.equal(await processesIn(kit.mount.path), "");
  await kit.mount[Symbol.asyncDispose]();
});
