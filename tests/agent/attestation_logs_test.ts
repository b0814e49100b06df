import assert from "node:assert/strict";
import { AttestationLab, CODES } from "./support/attestation_lab.ts";
import { codeOf } from "./support/bare_tpm.ts";

const NONCE = "1234567890ABCDEFHIJK";
const LIST = "10 aa ima-ng sha256:01 /bin/a\n10 bb ima-ng sha256:02 /bin/b\n";
const BOOT = Uint8Array.of(0, 1, 2, 0xff);

/** Masks of the registers that ask for the logs. */
const BOOT_PCR = 1 << 0;
const IMA_PCR = 1 << 10;
const OTHER_PCR = 1 << 7;

Deno.test("integrityEvidence() has the logs of the quoted registers", async (t) => {
  const files = { ima: LIST, boot: BOOT };
  await using lab = await AttestationLab.make({ files });
  const imaList = { text: LIST, entry: 0 };
  const bootLog = BOOT.toBase64();
  const rows = [
    { name: "neither", mask: OTHER_PCR, want: {} },
    { name: "none quoted", mask: 0, want: {} },
    { name: "IMA", mask: IMA_PCR, want: { imaList } },
    { name: "boot", mask: BOOT_PCR, want: { bootLog } },
    { name: "both", mask: IMA_PCR + BOOT_PCR, want: { bootLog, imaList } },
  ];
  for (const { name, mask, want } of rows) {
    await t.step(name, async () => {
      const { quote, ...logs } = await lab.attester.integrityEvidence(
        { nonce: NONCE, mask, imaEntry: 0 },
      );
      lab.verified(quote);
      assert.deepEqual(logs, want);
    });
  }
});

Deno.test("integrityEvidence() gives the list from the wanted entry on", async (t) => {
  await using lab = await AttestationLab.make({ files: { ima: LIST } });
  const second = LIST.slice(LIST.indexOf("\n") + 1);
  const rows = [
    { imaEntry: 0, want: { text: LIST, entry: 0 } },
    { imaEntry: 1, want: { text: second, entry: 1 } },
    { imaEntry: 2, want: { text: "", entry: 2 } },
    { imaEntry: 3, want: { text: LIST, entry: 0 } },
  ];
  for (const { imaEntry, want } of rows) {
    await t.step(`entry ${imaEntry}`, async () => {
      const { imaList } = await lab.attester.integrityEvidence(
        { nonce: NONCE, mask: IMA_PCR, imaEntry },
      );
      assert.deepEqual(imaList, want);
    });
  }
});

Deno.test("integrityEvidence() does without logs that are not there, until they are", async () => {
  await using lab = await AttestationLab.make();
  const request = { nonce: NONCE, mask: IMA_PCR + BOOT_PCR, imaEntry: 0 };
  const { quote, ...logs } = await lab.attester.integrityEvidence(request);
  lab.verified(quote);
  assert.deepEqual(logs, {});
  await Deno.writeTextFile(lab.bare.path("ima"), LIST);
  await Deno.writeFile(lab.bare.path("boot"), BOOT);
  const { bootLog, imaList } = await lab.attester.integrityEvidence(request);
  assert.equal(bootLog, BOOT.toBase64());
  assert.equal(imaList?.text, LIST);
});

Deno.test("integrityEvidence() reads the logs after the quote is made", async () => {
  await using lab = await AttestationLab.make({ files: { ima: LIST } });
  const later = "10 cc ima-ng sha256:03 /bin/c\n";
  const { mux } = lab.bare;
  mux.intercept = (command) => {
    if (codeOf(command) === CODES.quote) {
      mux.intercept = undefined;
      const options = { append: true };
      Deno.writeTextFileSync(lab.bare.path("ima"), later, options);
    }
    return undefined;
  };
  const { imaList } = await lab.attester.integrityEvidence(
    { nonce: NONCE, mask: IMA_PCR, imaEntry: 2 },
  );
  assert.deepEqual(imaList, { text: later, entry: 2 });
});
