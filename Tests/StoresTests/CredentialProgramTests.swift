// Programs that print the key of an object store.

import Platform
import TestSupport
import Testing

@testable import Stores

@Suite("A program that prints a key") struct CredentialProgramTests {
    /// What a program of these lines is taken for.
    private func outcome(_ lines: String, seconds: Int = 60) throws -> Result<S3Credentials, StoreError> {
        let scratch = try ScratchFolder(in: "/dev/shm")
        let program = scratch.path.appending("program")
        try plant(program, "#!/bin/bash\n\(lines)\n")
        shell("chmod 700 '\(program)'")
        var reader = S3CredentialReader(subject: "it", stop: nil)
        reader.programLimit = seconds
        return Result { () throws(StoreError) in try reader.read(.command([program.description])) }
    }

    private func refusal(_ lines: String, seconds: Int = 60) throws -> StoreError? {
        if case .failure(let error) = try outcome(lines, seconds: seconds) { return error }
        return nil
    }

    @Test("Gives it")
    func given() throws {
        let key = try outcome(
            "echo '{\"Version\": 1, \"AccessKeyId\": \"AKIA\", \"SecretAccessKey\": \"hidden\", \"Expiration\": \"2126-01-02T03:04:05Z\"}'"
        ).get()
        #expect(key.accessKey == "AKIA" && key.expiration == 4_922_996_645)
    }

    @Test("Takes neither the memory nor the time of this machine where it prints without an end, or never ends")
    func endless() throws {
        let begun = HostFacts.secondsSinceStart
        let printing = try refusal("exec cat /dev/zero")
        #expect(
            printing?.reason == .refused && printing?.description.contains("printed more") == true,
            "\(String(describing: printing))")
        let complaining = try refusal("trap '' TERM; while :; do printf '%01000d' 0; done >&2")
        #expect(complaining?.description.contains("printed more") == true, "\(String(describing: complaining))")
        #expect(HostFacts.secondsSinceStart - begun < 10)
        let silent = try refusal("sleep 100", seconds: 1)
        #expect(
            silent?.reason == .refused && silent?.description.contains("not done after 1 s") == true,
            "\(String(describing: silent))")
        #expect(HostFacts.secondsSinceStart - begun < 20)
    }
}
