GREETING = 'こんにちは'
