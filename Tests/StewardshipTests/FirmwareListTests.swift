// What the firmware of a machine starts is read as efibootmgr prints it, of Debian 12 and 13.

import Testing

@testable import Boot

@Suite struct FirmwareListTests {
    @Test("Entries and their order are read, whatever else is printed")
    func read() {
        let text = """
            BootCurrent: 0001
            Timeout: 0 seconds
            BootOrder: 0001,0000,000A
            Boot0000* UiApp\tFvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(462caa21-7614-4503-836e-8ab6f4662331)
            Boot0001* debian\tHD(2,GPT,0eb1,0x800,0x100000)/File(\\EFI\\debian\\shimx64.efi)
                  dp: 04 01 2a 00 / 7f ff 04 00
            Boot000A  Holdfast recovery\tHD(2,GPT,0eb1,0x800,0x100000)/\\EFI\\holdfast\\shimx64.efi
            BootNext: 0001
            Boot00XY* nothing\tx
            MirrorStatus: false
            """
        let list = FirmwareList(text)
        #expect(list.order == ["0001", "0000", "000A"])
        #expect(list.entries.map(\.number) == ["0000", "0001", "000A"])
        #expect(list.entries.last?.label == "Holdfast recovery")
        #expect(list.entries.last?.path.hasSuffix("\\EFI\\holdfast\\shimx64.efi") == true)
    }

    @Test(
        "Nothing of it is taken for more than it is",
        arguments: ["", "BootOrder: ", "BootOrder: 1,,zz", "Boot", "Boot0001", "Boot0001*"])
    func nothing(text: String) {
        let list = FirmwareList(text)
        #expect(list.order.isEmpty)
        #expect(list.entries.allSatisfy { $0.label.isEmpty && $0.path.isEmpty })
    }
}
