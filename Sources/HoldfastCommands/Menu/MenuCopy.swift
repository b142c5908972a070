// An image that is copied into memory before it is restored: its stick may then fail, or be pulled.

internal import Glibc
internal import Platform

final class MenuCopy {
    /// Where the copy is.
    let image: BytePath
    /// What makes it.
    let command: [ProgramWord]
    private let folder: BytePath
    private static let start = "menu-copy-"

    /// nil: it is not there, or there is no room for it.
    init?(of source: MenuContent.Image) throws {
        let memory = try MenuMemory.folder()
        for name in MenuMemory.abandoned(in: memory, Self.start) {
            try? Descriptor.open(memory, .directory).removeTree(Array(name.utf8))  // It costs room, and no more.
        }
        guard source.size <= MenuMemory.room(in: memory) else { return nil }
        folder = memory.appending("\(Self.start)\(getpid())")
        image = folder.appending(source.path.lastComponent)
        command =
            ["cp", "--"] + ([source.path] + source.more).map { ProgramWord($0) } + [ProgramWord(folder.appending("."))]
    }

    func prepare() throws { try makeFolders(folder, mode: 0o700) }

    func remove() {
        // It is in memory: what cannot be removed is gone with the next start, and with the next copy.
        try? Descriptor.open(folder.parent, .directory).removeTree(folder.lastComponent)
    }
}

extension Menu {
    /// Offers to copy an image that is on the stick, where there is room.
    func copyFirst(of source: MenuSource) throws -> MenuCopy? {
        guard case .file(let path, let image?) = source, isOnStick(path), exists(path),
            let copy = try MenuCopy(of: image)
        else {
            return nil
        }
        let yes = MenuWord.copyFirstYes.text(terminal.language, [Text.size(image.size)])
        let choice = try terminal.choose(.copyFirst, [yes, MenuWord.copyFirstNo.text(terminal.language)])
        return choice == 0 ? copy : nil
    }

    /// The same of a store, whose command copies the image itself.
    func offersCopy(of source: MenuSource) throws -> Bool {
        guard case .store(let store) = source, isOnStick(BytePath(store)) else { return false }
        return try terminal.choose(.copyFirst, [MenuWord.copyStoreFirstYes, .copyFirstNo]) == 0
    }

    private func isOnStick(_ path: BytePath) -> Bool {
        guard let stick, stick.isMounted else { return false }
        return path == stick.root || path.isBelow(stick.root)
    }
}
