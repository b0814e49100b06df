import assert from "node:assert/strict";
import { runOk } from "./command.ts";
import { EkCa } from "./ek_ca.ts";
import { LabDirectory } from "./lab_directory.ts";
import { manufacture, Swtpm } from "./swtpm.ts";
import { connectTpm } from "./tpm_address.ts";

/** Endorsement key algorithm of tpm2_createek, by the certificate's index. */
const ENDORSEMENT_KEYS = { "0x01c00002": "rsa", "0x01c0000a": "ecc" };

Deno.test("manufacture() makes TPMs with certificates of their own keys", async (t) => {
  await using directory = await LabDirectory.make();
  for (const key of ["rsa2048", "p256"] as const) {
    const ca = await EkCa.create(directory.path(`ca-${key}`), { key });
    const stateDirectory = directory.path(`tpm-${key}`);
    await manufacture(stateDirectory, { ca, banks: ["sha256"] });
    await using tpm = await Swtpm.start({ stateDirectory, transport: "tcp" });
    for (const [index, algorithm] of Object.entries(ENDORSEMENT_KEYS)) {
      await t.step(`${algorithm} key, certified by ${key}`, async () => {
        const certificate = directory.path("ek.der");
        const pem = directory.path("ek.pem");
        const ek = directory.path("ek.pub");
        await tpm.tool(["tpm2_nvread", index, "-C", "o", "-o", certificate]);
        await tpm.tool([
          "tpm2_createek",
          ...["-G", algorithm, "-c", directory.path("ek.ctx")],
          ...["-u", ek, "-f", "pem"],
        ]);
        await tpm.tool(["tpm2_flushcontext", "-t"]);
        const x509 = ["openssl", "x509", "-inform", "DER", "-in", certificate];
        await runOk([...x509, "-out", pem]);
        const certified = await runOk([...x509, "-noout", "-pubkey"]);
        assert.equal(certified, await Deno.readTextFile(ek));
        // Openssl does not know the TCG's critical name extension.
        const verify = [
          "openssl",
          "verify",
          "-ignore_critical",
          "-partial_chain",
        ];
        await runOk([...verify, "-trusted", ca.certificate, pem]);
      });
    }
  }
});

Deno.test("Swtpm.stop() complains when a client keeps it from shutting down", async () => {
  await using directory = await LabDirectory.make();
  const ca = await EkCa.create(directory.path("ca"), { key: "p256" });
  const stateDirectory = directory.path("tpm");
  await manufacture(stateDirectory, { ca, banks: ["sha256"] });
  await using tpm = await Swtpm.start({ stateDirectory });
  using _client = await connectTpm(tpm.address);
  await assert.rejects(tpm.stop(), /disconnect other clients/);
});
