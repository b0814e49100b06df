import assert from "node:assert/strict";
import { EXIT_CODE } from "../../exit_code.ts";
import { exists } from "../lab/tools.ts";
import { LabDirectory } from "../lab/lab_directory.ts";
import { runAgent, runProgram } from "./support/agent_process.ts";
import { BareTpm } from "./support/bare_tpm.ts";
import { answer, FakeRegistrar } from "./support/fake_registrar.ts";
import { VERSION } from "../../version.ts";

/** Asserts that a start failed with `exitCode` and one line like `want`. */
function failedLike(
  { code, stdout, stderr }: Awaited<ReturnType<typeof runAgent>>,
  want: RegExp,
  exitCode: number = EXIT_CODE.trouble,
): void {
  assert.equal(code, exitCode, stderr);
  assert.equal(stdout, "");
  const lines = stderr.trimEnd().split("\n");
  const errors = lines.filter((line) => line.startsWith(" ERROR"));
  assert.equal(errors.length, 1, stderr);
  assert.equal(errors[0], lines.at(-1));
  assert.match(errors[0] ?? "", want);
  for (const line of lines) {
    assert.match(line, /^ (ERROR|WARN {1}|INFO {1}) keylime_agent > \S/);
  }
}

Deno.test("the agent prints its help and version, and refuses other arguments", async (t) => {
  for (const option of ["--help", "-h"]) {
    await t.step(option, async () => {
      const { code, stdout, stderr } = await runProgram(option);
      assert.equal(code, 0);
      assert.match(stdout, /^Usage: keylime_agent \[OPTION\]\n/);
      assert.match(stdout, /print the version\n$/);
      assert.equal(stderr, "");
    });
  }
  for (const option of ["--version", "-V"]) {
    await t.step(option, async () => {
      const { code, stdout } = await runProgram(option);
      assert.equal(code, 0);
      const how = "(?:from sources|compiled|portable)";
      const { deno } = Deno.version;
      assert.match(
        stdout,
        new RegExp(`^keylime_agent ${VERSION} \\(${how}, Deno ${deno}\\)\n$`),
      );
    });
  }
  for (const argument of ["--verbose", "-x", "start", "--help=no"]) {
    await t.step(argument, async () => {
      const { code, stdout, stderr } = await runProgram(argument);
      assert.equal(code, 2);
      assert.equal(stdout, "");
      assert.match(stderr, /\nUsage: keylime_agent \[OPTION\]\n/);
    });
  }
});

Deno.test("the agent says in one line why it cannot reach its TPM", async (t) => {
  await using place = await LabDirectory.make();
  const rows = [
    {
      name: "no device",
      tcti: "device:/nonexistent/tpm",
      want:
        /TPM device \/nonexistent\/tpm: the device does not exist; is a TPM 2\.0 present and enabled/,
    },
    {
      name: "no device, the managed one first",
      tcti: "",
      want: /TPM device \/dev\/tpmrm0: the device does not exist/,
      ignore: await exists("/dev/tpm0"),
    },
    {
      name: "a device that is none",
      tcti: `device:${place.root}`,
      want: /TPM device .*: it cannot be opened/,
    },
    {
      name: "a file that answers with nothing",
      tcti: "device:/dev/null",
      want: /TPM device \/dev\/null failed: it gave no response/,
    },
    {
      name: "a device that answers with zeros",
      tcti: "device:/dev/zero",
      want: /What answers at \/dev\/zero is no TPM 2\.0 that works; check/,
    },
    {
      name: "no simulator",
      tcti: "swtpm:host=127.0.0.1,port=1",
      want: /swtpm at 127\.0\.0\.1:1 cannot be reached; is it running\?/,
    },
    {
      name: "no known transport",
      tcti: "tabrmd:bus_type=session",
      want: /Environment variable TCTI is "tabrmd:.*accepted are "device:/,
      code: EXIT_CODE.configuration,
    },
  ];
  for (const { name, tcti, want, code, ignore = false } of rows) {
    await t.step({
      name,
      ignore,
      fn: async () => {
        const env = { TCTI: tcti };
        failedLike(await runAgent(place.root, { env }), want, code);
      },
    });
  }
});

Deno.test("the agent says in one line what is wrong with its configuration", async (t) => {
  await using place = await LabDirectory.make();
  const { configuration } = EXIT_CODE;
  await t.step("an option", async () => {
    const options = { port: 0 };
    const ended = await runAgent(place.root, { options });
    failedLike(ended, /"port" is 0/, configuration);
  });
  await t.step("the file", async () => {
    const env = { KEYLIME_AGENT_CONFIG: "/nonexistent/agent.conf" };
    const ended = await runAgent(place.root, { env });
    failedLike(ended, /\/nonexistent\/agent/, configuration);
  });
  await t.step("the account", async (t) => {
    if (Deno.uid() !== 0) return;
    await t.step("run_as", async () => {
      const options = { run_as: "no-such-user:nogroup" };
      failedLike(
        await runAgent(place.root, { options }),
        /"run_as" names user "no-such-user", which does not exist/,
        configuration,
      );
    });
  });
});

Deno.test("the agent gives up a TPM that answers nonsense, in one line", async (t) => {
  await using lab = await BareTpm.make();
  const rows = [
    { name: "zeros", answer: "00000000000000000000" },
    { name: "another tag", answer: "ffff0000000a00000000" },
    { name: "success with nothing in it", answer: "80010000000a00000000" },
    { name: "bytes after the end", answer: "80010000000c000000000000" },
    {
      name: "another capability",
      answer: "80010000001300000000000000000100000000",
    },
    { name: "an unknown code", answer: "80010000000a7fffffff" },
    { name: "a failure", answer: "80010000000a00000101" },
  ];
  for (const { name, answer } of rows) {
    await t.step(name, async () => {
      lab.mux.intercept = () => Uint8Array.fromHex(answer);
      const env = { TCTI: lab.tcti };
      failedLike(
        await runAgent(lab.directory, { env }),
        /What answers at swtpm at .* is no TPM 2\.0 that works; check .*: ./,
      );
    });
  }
  await t.step("nothing at all", async () => {
    lab.mux.intercept = () => {
      throw new Error("Hang up");
    };
    const env = { TCTI: lab.tcti };
    failedLike(
      await runAgent(lab.directory, { env }),
      /swtpm at 127\.0\.0\.1:\d+ failed: the connection ended/,
    );
  });
});

Deno.test("the agent unloads its keys when it cannot go on", async (t) => {
  await using lab = await BareTpm.make();
  const env = { TCTI: lab.tcti };
  await t.step("its port is taken", async () => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr;
    failedLike(
      await runAgent(lab.directory, { env, options: { port } }),
      new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${port}: another process`),
    );
    assert.deepEqual(await lab.leavings(), []);
  });
  await t.step("the registrar refuses it", async () => {
    await using registrar = FakeRegistrar.start({ POST: [answer(403)] });
    const options = { registrar_port: registrar.port };
    failedLike(
      await runAgent(lab.directory, { env, options }),
      /refuses agent .*keylime_tenant -c regdelete -u 3f2a1c5e-/,
      EXIT_CODE.refused,
    );
    assert.deepEqual(await lab.leavings(), []);
  });
  await t.step("its payload key is unusable", async () => {
    const path = lab.path("payload-private.pem");
    await Deno.writeTextFile(path, "damaged");
    failedLike(
      await runAgent(lab.directory, { env }),
      /payload_key .*holds no/,
      EXIT_CODE.configuration,
    );
    assert.deepEqual(await lab.leavings(), []);
  });
});

Deno.test("the agent explains that the TPM lacks the PCR bank of its hash", async () => {
  await using lab = await BareTpm.make();
  await lab.tool(
    "tpm2_pcrallocate",
    "sha256:all+sha1:none+sha384:none+sha512:none",
  );
  await lab.restart();
  const env = { TCTI: lab.tcti };
  const options = { tpm_hash_alg: "sha512" };
  failedLike(
    await runAgent(lab.directory, { env, options }),
    /"tpm_hash_alg" is "sha512", but this TPM has no such PCR bank; set/,
    EXIT_CODE.configuration,
  );
  assert.deepEqual(await lab.leavings(), []);
});

Deno.test({
  name: "the agent names a directory that its user cannot write to",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using lab = await BareTpm.make();
    await Deno.chmod(lab.directory, 0o755);
    const env = { TCTI: lab.tcti };
    const options = { run_as: "nobody:nogroup" };
    failedLike(
      await runAgent(lab.directory, { env, options }),
      /Cannot write ".*agent_data\.json"; its directory must exist \(owner uid 0, /,
    );
    assert.deepEqual(await lab.leavings(), []);
  },
});
