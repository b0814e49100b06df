import assert from "node:assert/strict";
import { dirname } from "node:path";
import type { LabAgent } from "./agent.ts";
import { run } from "./command.ts";
import { Lab } from "./lab.ts";
import { waitFor } from "./wait.ts";

/** Why this machine cannot show payloads, or undefined. */
const SKIP = Deno.uid() === 0 ? undefined : "only root can mount";

const AUTORUN = `#!/bin/sh
echo "autorun in $PWD as $(id -un)"
cp secret.txt copied.txt
`;

/** Tenant arguments that deliver the certificates and the files in `directory`. */
function withFiles(lab: Lab, directory: string): string[] {
  return [
    "--cert",
    lab.directory.path("ca-of-payloads"),
    "--include",
    directory,
  ];
}

async function makePayload(
  lab: Lab,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const directory = lab.directory.path(name);
  await Deno.mkdir(directory);
  for (const [file, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${directory}/${file}`, text);
  }
  return directory;
}

/** Absolute path of a delivered file. */
function delivered(agent: LabAgent, file: string): string {
  return `${agent.directory}/secure/unzipped/${file}`;
}

/** Makes the agent's directory another account's, and the way to it open. */
async function giveAway(agent: LabAgent, account: string): Promise<void> {
  await run(["chown", "-R", account, agent.directory]);
  for (
    let path = dirname(agent.directory);
    path.includes("dklab-");
    path = dirname(path)
  ) {
    await Deno.chmod(path, 0o711);
  }
}

async function read(
  agent: LabAgent,
  file: string,
): Promise<string | undefined> {
  return await Deno.readTextFile(delivered(agent, file)).catch(() => undefined);
}

/** Everything below the agent's directory with `secret` in it, but the mount. */
async function leaks(agent: LabAgent, secret: string): Promise<string> {
  const { stdout } = await run([
    ...["grep", "-rl", "--exclude-dir=secure", secret, agent.directory],
  ]);
  return stdout;
}

Deno.test({
  name: "the tenant delivers payloads to attested machines only",
  ignore: SKIP !== undefined,
  fn: async (t) => {
    await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
    await using machine = await lab.machine();
    await using agent = await machine.agent(lab.keylime);
    await agent.start();

    await t.step(
      "--cert and --include: files arrive, the script runs",
      async () => {
        const files = await makePayload(lab, "first", {
          "autorun.sh": AUTORUN,
          "secret.txt": "the first secret",
          "action_list": "local_action_x",
          "local_action_x": "#!/bin/sh\n",
        });
        // --verify asks for the proof until the verifier has sent V.
        await lab.tenant("add", agent, [...withFiles(lab, files), "--verify"]);
        await agent.logs("exited with status 0");
        assert.equal(await read(agent, "copied.txt"), "the first secret");
        assert.match(
          await read(agent, "RevocationNotifier-cert.crt") ?? "",
          /BEGIN CERTIFICATE/,
        );
        const names =
          (await Array.fromAsync(Deno.readDir(delivered(agent, "."))))
            .map(({ name }) => name);
        for (
          const name of [
            "derived_tci_key",
            "decrypted_payload",
            "cacert.crt",
            `${agent.uuid}-cert.crt`,
            `${agent.uuid}-private.pem`,
          ]
        ) {
          assert.ok(names.includes(name), names.join(" "));
        }
        assert.equal(
          (await Deno.stat(delivered(agent, "derived_tci_key"))).size,
          32,
        );
        const log = await agent.log();
        assert.match(
          log,
          /INFO .*Payload script stdout: "autorun in .*\/secure\/unzipped as root"/,
        );
        assert.equal(
          ((await Deno.stat(delivered(agent, "local_action_x"))).mode ?? 0) &
            0o777,
          0o700,
        );
        await lab.attested(agent, 2);
      },
    );

    await t.step(
      "nobody else can read it, and none of it is on a disk",
      async () => {
        for await (
          const { name, isFile } of Deno.readDir(delivered(agent, "."))
        ) {
          const { mode } = await Deno.stat(delivered(agent, name));
          if (isFile && name !== "copied.txt") {
            assert.equal((mode ?? 0) & 0o077, 0, name);
          }
        }
        const { mode } = await Deno.stat(`${agent.directory}/secure`);
        assert.equal((mode ?? 0) & 0o777, 0o700);
        assert.equal(await leaks(agent, "the first secret"), "");
      },
    );

    await t.step(
      "delete and add again: the new payload replaces the old (issue 1380)",
      async () => {
        const files = await makePayload(lab, "second", {
          "autorun.sh": AUTORUN,
          "secret.txt": "the second secret",
        });
        await lab.tenant("delete", agent);
        await lab.tenant("add", agent, [...withFiles(lab, files), "--verify"]);
        await waitFor(
          "the second script",
          async () => await read(agent, "copied.txt") === "the second secret",
        );
        assert.equal(await read(agent, "local_action_x"), undefined);
        await lab.attested(agent, 2);
      },
    );

    await t.step("-f: a plain file is kept under its name", async () => {
      const file = lab.directory.path("plain.txt");
      await Deno.writeTextFile(file, "a plain secret");
      await lab.tenant("update", agent, ["-f", file, "--verify"]);
      await waitFor(
        "the file",
        async () => await read(agent, "decrypted_payload") === "a plain secret",
      );
      await agent.logs(
        'The payload is no zip file; it is kept as "decrypted_payload"',
      );
      assert.equal(await read(agent, "copied.txt"), undefined);
    });

    await t.step(
      "-k and -p: a payload encrypted beforehand, and one sent alone",
      async () => {
        const input = lab.directory.path("input.txt");
        const output = lab.directory.path("encrypted");
        await Deno.writeTextFile(input, "an encrypted secret");
        await Deno.mkdir(output);
        await lab.keylime.encryptUserData(input, output);
        await lab.tenant("update", agent, [
          ...[
            "-k",
            `${output}/content_keys.txt`,
            "-p",
            `${output}/content_payload.txt`,
            "--verify",
          ],
        ]);
        await waitFor(
          "the file",
          async () =>
            await read(agent, "decrypted_payload") === "an encrypted secret",
        );

        await lab.tenant("update", agent, [
          "-k",
          `${output}/content_keys.txt`,
          "--verify",
        ]);
        await agent.logs("combined to a key without a payload");
      },
    );

    await t.step(
      "a stopped agent ends its script, and a new one serves again",
      async () => {
        const files = await makePayload(lab, "endless", {
          "autorun.sh": "#!/bin/sh\necho sleeping\nexec sleep 1000\n",
        });
        await lab.tenant("update", agent, withFiles(lab, files));
        await agent.logs('Payload script stdout: "sleeping"');
        await lab.attested(agent, 2);
        assert.equal(await agent.stop(), 0);
        assert.match(await agent.log(), /was ended by the agent, which stops/);
        await agent.start();
        await lab.tenant("update", agent, [
          "-f",
          lab.directory.path("plain.txt"),
          "--verify",
        ]);
        await waitFor(
          "the file",
          async () =>
            await read(agent, "decrypted_payload") === "a plain secret",
        );
      },
    );

    await t.step(
      "nothing went wrong by the verifier's own account",
      async () => {
        assert.doesNotMatch(await lab.keylime.verifier.log(), /Traceback/);
      },
    );
  },
});

Deno.test({
  name: "a machine that fails its first attestation never gets the key",
  ignore: SKIP !== undefined,
  fn: async () => {
    await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
    await using machine = await lab.machine();
    await using agent = await machine.agent(lab.keylime);
    await agent.start();
    const file = lab.directory.path("plain.txt");
    await Deno.writeTextFile(file, "never to be seen");
    const policy = JSON.stringify({ "15": ["ab".repeat(32)] });
    await lab.tenant("add", agent, ["-f", file, "--tpm_policy", policy]);
    await lab.failed(agent);
    const log = await agent.log();
    assert.match(log, /Received the tenant's key share/);
    assert.doesNotMatch(log, /Received the verifier's key share/);
    assert.deepEqual(
      await Array.fromAsync(Deno.readDir(`${agent.directory}/secure`)),
      [],
    );
    assert.equal(await leaks(agent, "never to be seen"), "");
  },
});

Deno.test({
  name: "an agent that dropped root delivers with its own rights",
  ignore: SKIP !== undefined,
  fn: async () => {
    await using lab = await Lab.start({ verifier: { quote_interval: 0.2 } });
    await using machine = await lab.machine();
    await using agent = await machine.agent(lab.keylime, {
      options: { run_as: "nobody:nogroup", trusted_client_ca: "ca.crt" },
    });
    await Deno.copyFile(
      lab.keylime.certificates.authority,
      `${agent.directory}/ca.crt`,
    );
    await giveAway(agent, "nobody:nogroup");
    await agent.start();
    const files = await makePayload(lab, "dropped", {
      "autorun.sh":
        "#!/bin/sh\nid -un > who\nid -G >> who\nmkdir /root/.ssh/x 2>/dev/null && echo root >> who\nexit 0\n",
    });
    await lab.tenant("add", agent, [...withFiles(lab, files), "--verify"]);
    await agent.logs("exited with status 0");
    assert.equal(await read(agent, "who"), "nobody\n65534\n");
    assert.equal((await Deno.stat(`${agent.directory}/secure`)).uid, 65534);
  },
});

Deno.test("an agent without mutual TLS proves the key but writes no payload", async () => {
  await using lab = await Lab.start({
    verifier: { quote_interval: 0.2, enable_agent_mtls: false },
    tenant: { enable_agent_mtls: false },
  });
  await using machine = await lab.machine();
  await using agent = await machine.agent(lab.keylime, {
    options: {
      enable_agent_mtls: false,
      payload_script: "",
      extract_payload_zip: false,
    },
  });
  await agent.start();
  const file = lab.directory.path("plain.txt");
  await Deno.writeTextFile(file, "never to be seen");
  await lab.tenant("add", agent, ["-f", file, "--verify"]);
  await agent.logs("Both key shares combined to the key of a payload");
  await lab.attested(agent, 2);
  const log = await agent.log();
  assert.equal(log.match(/WARN .*payloads cannot be deployed/g)?.length, 2);
  assert.equal(await read(agent, "decrypted_payload"), undefined);
  assert.equal(await leaks(agent, "never to be seen"), "");
});
