// Series production: the stick does what its file says, unless somebody presses a key, and writes down what came of it.

internal import Cryptography
internal import Glibc
internal import Platform
internal import Reporting

extension Menu {
    /// Says what will be done, counts down, and does it. Whatever comes of it, the menu follows.
    func produce(_ series: MenuSeries, mark: BytePath) throws {
        guard !exists(mark) else { return }
        var report = MenuSeriesReport()
        terminal.space()
        terminal.say(.seriesHeading)
        do {
            try withSeriesStick { root in
                let work = try series.work(root, stickDisk: stick?.disk)
                report.work = work
                show(work, series.plan)
            }
        } catch let error as MenuTerminal.Ended {
            throw error
        } catch {
            report.result = .refused
            guard try MenuSeries.take(mark) else { return tell(error) }
            return try end(report, series.plan, mark, error)
        }
        let isStopped = try terminal.countDown(series.plan.countdown, .seriesCountdown) { exists(mark) }
        guard try MenuSeries.take(mark) else { return try watch(mark) }
        if isStopped {
            terminal.say(.seriesStopped)
            return try MenuSeries.tell(MenuWord.seriesStopped.text(.english), mark)
        }
        do {
            try withSeriesStick { root in
                // Another disk may have come or gone meanwhile.
                let work = try series.work(root, stickDisk: stick?.disk)
                guard work.disk == report.work?.disk else {
                    throw Problem.refused("the disk is another one than when the countdown began")
                }
                try carryOut(work, series.plan, root, &report)
            }
        } catch let error as MenuTerminal.Ended {
            throw error
        } catch {
            if report.statuses.isEmpty { report.result = .refused }
            return try end(report, series.plan, mark, error)
        }
        try end(report, series.plan, mark, nil)
    }

    /// The other console does it: who sits here sees what came of it, too, unless he presses a key.
    private func watch(_ mark: BytePath) throws {
        terminal.say(.otherConsole, MenuWord.seriesHeading.text(.english))
        if try terminal.isKeyPressed(until: { MenuSeries.outcome(mark) != nil }) { return }
        for line in (MenuSeries.outcome(mark) ?? "").split(separator: "\n") { terminal.say(String(line)) }
        try terminal.waitForEnter()
    }

    /// The other console looks at the same stick and the same disk, at the same moment.
    private func patientLock() throws -> MenuLock {
        for _ in 0..<600 {
            do { return try MenuLock(MenuWord.seriesHeading.text(.english)) } catch is MenuLock.Taken {
                try session.progress.stop.checkStop()
                usleep(200_000)
            }
        }
        return try MenuLock(MenuWord.seriesHeading.text(.english))
    }

    private func withSeriesStick(_ body: (BytePath) throws -> Void) throws {
        guard let stick else { throw Problem.refused("--auto wants a stick") }
        let lock = try patientLock()
        defer { lock.release() }
        try stick.use(writing: false, self, body)
    }

    private func show(_ work: MenuSeries.Work, _ plan: SeriesPlan) {
        let disk = work.disk
        let facts = [disk.model, Text.size(disk.size)].filter { !$0.isEmpty }.joined(separator: ", ")
        terminal.say(.seriesWill, plan.image, "\(disk.path)", facts, disk.serial.isEmpty ? "-" : disk.serial)
        terminal.say(
            plan.isNewIdentity ? .seriesNewIdentity : .seriesSameIdentity,
            work.host ?? work.image.label?.host ?? plan.image)
    }

    private func carryOut(
        _ work: MenuSeries.Work, _ plan: SeriesPlan, _ root: BytePath, _ report: inout MenuSeriesReport
    ) throws {
        let passphrase = try plan.passphrase.map { try MenuKeyFile(passphrase: Secret(Array($0.utf8))) }
        defer { passphrase?.erase() }
        var key: [ProgramWord] = []
        if let passphrase { key = ["--passphrase-file", ProgramWord(passphrase.path)] }
        if let identity = plan.identity { key = ["--identity", ProgramWord(root.appending(identity))] }
        let source: [ProgramWord] = ["--input", ProgramWord(work.image.path)]
        func run(_ words: [ProgramWord], _ name: String) throws -> Int32 {
            terminal.sayWhole("  " + words.map { $0.shown }.joined(separator: " "))
            let status = try start(words)
            report.statuses.append((name, .number(UInt64(clamping: status))))
            tell(status: status)
            return status
        }
        // What is damaged is found before anything is overwritten.
        guard try run(["holdfast", "verify"] + source + key, "verify") == 0 else {
            report.result = .refused
            throw Problem.refused("the image was not found to be whole; nothing was overwritten")
        }
        let answer = try MenuMemory.folder().appending(
            "holdfast-key-\(getpid())-\(hexadecimal(try SecureRandom.bytes(8)))")
        defer { try? removeFile(answer) }  // It is in memory, and no secret.
        let status = try run(
            ["holdfast", "restore"] + source
                + ["--disk", ProgramWord(work.disk.path), "--confirm", ProgramWord(work.disk.confirmation)]
                + [plan.isNewIdentity ? "--new-identity" : "--same-identity"]
                + (work.host.map { ["--hostname", ProgramWord($0)] } ?? []) + ["--report", ProgramWord(answer)] + key,
            "restore")
        if exists(answer) {
            report.restore = String(decoding: try readRegular(answer, limit: 1 << 24), as: UTF8.self).filter {
                !$0.isNewline
            }
        }
        report.result =
            switch status {
            case 0: .done
            case 3: .findings
            case 130: .stopped
            default: .failed
            }
        if status != 0 { report.reason = "restore ended with status \(status)" }
    }

    private func write(_ report: MenuSeriesReport, _ plan: SeriesPlan, _ stick: MenuStick) throws -> BytePath {
        let lock = try patientLock()
        defer { lock.release() }
        return try stick.use(writing: true, self) { try report.write(plan, below: $0) }
    }

    /// Has the report written: without it nobody knows which machine was made. The stick may have been pulled; then it is asked for.
    private func end(
        _ report: MenuSeriesReport, _ plan: SeriesPlan, _ mark: BytePath, _ error: (any Error)?
    ) throws {
        var report = report
        if let said = error as? Said {
            report.reason = said.text
            terminal.say(said.text)
        } else if let error {
            report.reason = Text.withoutKeys(Problem(error).message)
            tell(error)
        }
        guard let stick else { return }
        for _ in 0..<100 {
            do {
                let path = try write(report, plan, stick)
                terminal.say(.seriesReport, "\(path)")
                let verdict: MenuWord = report.result == .done ? .seriesDone : .seriesNotDone
                terminal.say(verdict)
                let lines = [report.reason, "\(path)", verdict.text(.english)].compactMap { $0 }
                try MenuSeries.tell(lines.joined(separator: "\n"), mark)
                return try terminal.waitForEnter()
            } catch let error as MenuTerminal.Ended {
                throw error
            } catch {
                if let said = error as? Said { terminal.say(said.text) } else { tell(error) }
                terminal.say(.seriesNoReport)
                if report.result == .refused { return try terminal.waitForEnter() }
                try terminal.waitForEnter()
            }
        }
    }
}
