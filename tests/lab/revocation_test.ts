import assert from "node:assert/strict";
import { constants, sign } from "node:crypto";
import type { LabAgent } from "./agent.ts";
import { Lab } from "./lab.ts";
import type { Machine } from "./machine.ts";
import { createRuntimePolicy } from "./policies.ts";
import { freePorts } from "./ports.ts";
import { exists } from "./tools.ts";
import { waitFor } from "./wait.ts";
import { ZeromqPublisher } from "./zeromq_publisher.ts";

/** Appends the message to a file beside the agent's own, and says so. */
function recorder(name: string): string {
  return `#!/bin/sh
cat "$1" >> ${name}.jsonl && echo >> ${name}.jsonl
echo "A node in the network has been compromised: ${name}"
`;
}

/** A payload for the tenant's `--include`, with one action in it. */
async function makePayload(directory: string): Promise<string> {
  await Deno.mkdir(directory);
  const files = {
    "autorun.sh": "#!/bin/sh\necho delivered > ../../delivered\n",
    "action_list": "local_action_theirs, local_action_own\n",
    "local_action_theirs": recorder("theirs"),
  };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${directory}/${name}`, text);
  }
  return directory;
}

/** The messages that the action `name` of that agent got so far. */
async function messages(
  agent: LabAgent,
  name: string,
): Promise<Record<string, unknown>[]> {
  const path = `${agent.directory}/${name}.jsonl`;
  if (!await exists(path)) return [];
  // What follows the last newline is still being written.
  const lines = (await Deno.readTextFile(path)).split("\n").slice(0, -1);
  return lines.map((line) => {
    const message: Record<string, unknown> = JSON.parse(line);
    const sorted = Object.entries(message).toSorted(([a], [b]) =>
      a < b ? -1 : 1
    );
    assert.equal(line, JSON.stringify(Object.fromEntries(sorted)));
    return message;
  });
}

/** A machine with an agent that has a pre-installed action. */
async function agentOn(
  lab: Lab,
  machine: Machine,
  options: Record<string, string | number | boolean> = {},
): Promise<LabAgent> {
  const agent = await machine.agent(lab.keylime, {
    options: {
      revocation_actions_dir: await installedActions(lab),
      ...options,
    },
  });
  await agent.start();
  return agent;
}

async function installedActions(lab: Lab): Promise<string> {
  const directory = lab.directory.path("libexec");
  await Deno.mkdir(directory, { recursive: true });
  const action = `${directory}/local_action_own`;
  await Deno.writeTextFile(action, recorder("own"));
  await Deno.chmod(action, 0o755);
  return directory;
}

Deno.test("a failed attestation runs the revocation actions of all agents", async (t) => {
  await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
  await using machine = await lab.machine();
  await using other = await lab.machine();
  const policy = await createRuntimePolicy(lab.directory.path("policy.json"), {
    measurementList: machine.ima.file,
  });
  const payload = await makePayload(lab.directory.path("payload"));
  const delivery = ["--cert", "default", "--include", payload];
  await using agent = await agentOn(lab, machine);
  await using strict = await agentOn(lab, other, {
    allow_payload_revocation_actions: false,
  });

  await t.step("a payload brings certificate and actions", async () => {
    await lab.tenant("add", agent, [...delivery, "--runtime-policy", policy]);
    await lab.tenant("add", strict, delivery);
    for (const each of [agent, strict]) {
      await lab.attested(each, 2);
      await each.logs("Loaded the revocation certificate");
      await waitFor("autorun.sh", () => exists(`${each.directory}/delivered`));
    }
  });
  await t.step("an unlisted file starts them with the message", async () => {
    await machine.ima.append("/usr/bin/unknown", "unknown");
    await lab.failed(agent);
    for (const name of ["theirs", "own"]) {
      await agent.logs(`Revocation action local_action_${name} succeeded`);
      const [message, ...more] = await messages(agent, name);
      assert.equal(message?.["type"], "revocation");
      assert.equal(message["agent_id"], agent.uuid);
      assert.equal(
        message["event_id"],
        "ima.validation.ima-ng.not_in_allowlist",
      );
      assert.match(String(message["context"]), /\/usr\/bin\/unknown/);
      assert.deepEqual(more, []);
    }
    const log = await agent.log();
    const order = ["theirs", "own"].map((name) =>
      log.indexOf(`Executing revocation action local_action_${name}`)
    );
    assert.ok(order[0] !== -1 && (order[0] ?? 0) < (order[1] ?? 0));
    assert.match(log, /stdout: "A node in the network has been compromised/);
  });
  await t.step("the payload's are skipped where they may not run", async () => {
    await strict.logs("Revocation action local_action_own succeeded");
    const [message] = await messages(strict, "own");
    assert.equal(message?.["agent_id"], agent.uuid);
    assert.deepEqual(await messages(strict, "theirs"), []);
    assert.match(
      await strict.log(),
      /WARN .* local_action_theirs skipped: .*allow_payload_revocation_actions/,
    );
    await lab.attested(strict, 2);
  });
  await t.step("reactivation without a remedy starts them again", async () => {
    await lab.tenant("reactivate", agent);
    await waitFor(
      "the second message",
      async () => (await messages(agent, "own")).length === 2,
    );
  });
  await t.step("after a remedy the machine is attested again", async () => {
    const wider = await createRuntimePolicy(lab.directory.path("wider.json"), {
      measurementList: machine.ima.file,
    });
    await lab.tenant("update", agent, [
      ...delivery,
      ...["--runtime-policy", wider],
    ]);
    await lab.attested(agent, 3);
    assert.equal((await messages(agent, "own")).length, 2);
  });
  await t.step("no message is left behind", async () => {
    for await (const { name } of Deno.readDir(agent.directory)) {
      assert.ok(!name.startsWith(".tmp"), name);
    }
  });
});

Deno.test("a revocation over ZeroMQ runs the actions, after an outage too", async (t) => {
  await using lab = await Lab.start();
  await using machine = await lab.machine();
  const port = freePorts();
  const starting = ZeromqPublisher.start(port);
  await using agent = await agentOn(lab, machine, {
    enable_revocation_notifications: true,
    revocation_notification_port: port,
  });
  const payload = await makePayload(lab.directory.path("payload"));
  await lab.tenant("add", agent, [
    ...["--cert", "default", "--include", payload],
  ]);
  await lab.attested(agent, 1);
  await agent.logs("Loaded the revocation certificate");
  const key = await Deno.readTextFile(
    `${lab.keylime.place.workDirectory}/ca/RevocationNotifier-private.pem`,
  );
  const notification = (event: string): { msg: string; signature: string } => {
    const msg = JSON.stringify({
      ...{ type: "revocation", agent_id: agent.uuid, event_id: event },
    });
    const signature = sign("sha256", new TextEncoder().encode(msg), {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: 222,
    });
    return { msg, signature: signature.toString("base64") };
  };
  const ran = async (count: number): Promise<void> => {
    const isSo = async (): Promise<boolean> =>
      (await messages(agent, "own")).length === count;
    await waitFor(`${count} messages`, isSo);
  };

  await t.step("a forged message runs nothing, a signed one does", async () => {
    await using publisher = await starting;
    await publisher.send({ ...notification("forged"), msg: "{}" });
    await publisher.send(notification("first"));
    await ran(1);
    assert.match(
      await agent.log(),
      /WARN .* Revocation dropped: The signature is not one by/,
    );
  });
  await t.step("the publisher's restart does no harm", async () => {
    await using publisher = await ZeromqPublisher.start(port);
    await publisher.send(notification("second"));
    await ran(2);
  });
  await t.step("nor does a message that is too large", async () => {
    {
      await using publisher = await ZeromqPublisher.start(port);
      await publisher.send({ msg: "x".repeat(10_000_000), signature: "" });
      await agent.logs("expected at most 2097152");
    }
    await using publisher = await ZeromqPublisher.start(port);
    await publisher.send(notification("third"));
    await ran(3);
  });
  assert.equal(await agent.stop(), 0);
});
