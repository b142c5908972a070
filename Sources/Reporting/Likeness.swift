// What somebody may have meant who mistyped a name.

/// The name that is most like a word, where one is like it at all; capitals do not matter.
public func mostLike(_ word: String, among names: [String]) -> String? {
    var meant: String?
    var least = max(1, min(word.count, 8) / 3) + 1
    for name in names {
        let distance = distance(word, name)
        if distance < least { (meant, least) = (name, distance) }
    }
    return meant
}

/// How many letters have to be put in, taken out, changed or exchanged with their neighbour (optimal string alignment). What is longer than any
/// name is cut.
private func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.lowercased().prefix(64)), Array(b.lowercased().prefix(64)))
    var rows = [[Int]](repeating: Array(0...b.count), count: a.count + 1)
    for i in 0...a.count { rows[i][0] = i }
    for i in 1..<max(1, a.count + 1) {
        for j in 1..<max(1, b.count + 1) {
            let change = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, change)
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
            }
        }
    }
    return rows[a.count][b.count]
}
